package io.github.grpo4j.backend.cuda.cudnn;

import static org.bytedeco.cuda.global.cudnn.CUDNN_STATUS_SUCCESS;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_BACKEND_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_BOOLEAN;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_FLOAT;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_HANDLE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_INT64;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_VOID_PTR;

import io.github.grpo4j.backend.BackendException;
import java.nio.charset.StandardCharsets;
import org.bytedeco.cuda.cudnn.cudnnBackendDescriptor_t;
import org.bytedeco.cuda.cudnn.cudnnContext;
import org.bytedeco.cuda.global.cudnn;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * A descriptor of cuDNN's backend interface: a bag of attributes that is filled, then finished, and from then on fixed. Tensors,
 * operations, graphs of them and plans to run them are all descriptors.
 */
final class CudnnDescriptor implements AutoCloseable {
  private static final int MESSAGE_BYTES = 1024;

  private final cudnnBackendDescriptor_t handle = new cudnnBackendDescriptor_t();

  /** @param type one of {@code CUDNN_BACKEND_…_DESCRIPTOR} */
  CudnnDescriptor(int type) {
    check(cudnn.cudnnBackendCreateDescriptor(type, handle), "cudnnBackendCreateDescriptor(" + type + ")");
  }

  cudnnBackendDescriptor_t handle() {
    return handle;
  }

  CudnnDescriptor longs(int attribute, long... values) {
    try (LongPointer array = new LongPointer(values)) {
      return set(attribute, CUDNN_TYPE_INT64, values.length, array);
    }
  }

  /** A value of one of cuDNN's enumerations. */
  CudnnDescriptor code(int attribute, int type, int value) {
    try (IntPointer array = new IntPointer(new int[] {value})) {
      return set(attribute, type, 1, array);
    }
  }

  CudnnDescriptor flag(int attribute, boolean value) {
    try (BytePointer array = new BytePointer(new byte[] {(byte) (value ? 1 : 0)})) {
      return set(attribute, CUDNN_TYPE_BOOLEAN, 1, array);
    }
  }

  CudnnDescriptor number(int attribute, float value) {
    try (FloatPointer array = new FloatPointer(new float[] {value})) {
      return set(attribute, CUDNN_TYPE_FLOAT, 1, array);
    }
  }

  CudnnDescriptor descriptors(int attribute, CudnnDescriptor... values) {
    try (LongPointer array = addresses(values)) {
      return set(attribute, CUDNN_TYPE_BACKEND_DESCRIPTOR, values.length, array);
    }
  }

  CudnnDescriptor addresses(int attribute, long... values) {
    try (LongPointer array = new LongPointer(values)) {
      return set(attribute, CUDNN_TYPE_VOID_PTR, values.length, array);
    }
  }

  CudnnDescriptor context(int attribute, cudnnContext context) {
    try (LongPointer array = new LongPointer(new long[] {context.address()})) {
      return set(attribute, CUDNN_TYPE_HANDLE, 1, array);
    }
  }

  CudnnDescriptor set(int attribute, int type, long count, Pointer values) {
    check(cudnn.cudnnBackendSetAttribute(handle, attribute, type, count, values), "cudnnBackendSetAttribute(" + attribute + ")");
    return this;
  }

  CudnnDescriptor finish() {
    check(tryToFinish(), "cudnnBackendFinalize");
    return this;
  }

  /** {@link #finish} for what cuDNN may have no way to do: returns the status. */
  int tryToFinish() {
    return cudnn.cudnnBackendFinalize(handle);
  }

  long getLong(int attribute) {
    long[] count = new long[1];
    try (LongPointer value = new LongPointer(1)) {
      check(cudnn.cudnnBackendGetAttribute(handle, attribute, CUDNN_TYPE_INT64, 1, count, value), "cudnnBackendGetAttribute(" + attribute + ")");
      return value.get();
    }
  }

  /** Fills in descriptors that the caller created; returns how many there were. With none, says how many there may be. */
  int get(int attribute, CudnnDescriptor... values) {
    long[] count = new long[1];
    try (LongPointer array = addresses(values)) {
      check(cudnn.cudnnBackendGetAttribute(handle, attribute, CUDNN_TYPE_BACKEND_DESCRIPTOR, values.length, count, values.length == 0 ? null : array),
          "cudnnBackendGetAttribute(" + attribute + ")");
    }
    return Math.toIntExact(count[0]);
  }

  private static LongPointer addresses(CudnnDescriptor... values) {
    long[] addresses = new long[Math.max(1, values.length)];
    for (int i = 0; i < values.length; i++) {
      addresses[i] = values[i].handle.address();
    }
    return new LongPointer(addresses);
  }

  @Override
  public void close() {
    cudnn.cudnnBackendDestroyDescriptor(handle);
  }

  /** @throws BackendException with cuDNN's own words on what it does not like */
  static void check(int status, String call) {
    if (status != CUDNN_STATUS_SUCCESS) {
      throw new BackendException(call + " failed: " + reason(status));
    }
  }

  /** The name of a status and, where cuDNN left one, the explanation of the last error in this thread. */
  static String reason(int status) {
    String name = cudnn.cudnnGetErrorString(status).getString();
    byte[] message = new byte[MESSAGE_BYTES];
    cudnn.cudnnGetLastErrorString(message, message.length);
    int length = 0;
    while (length < message.length && message[length] != 0) {
      length++;
    }
    String text = new String(message, 0, length, StandardCharsets.UTF_8).strip().replaceAll("\\s*\\n\\s*", "; ");
    return text.isEmpty() ? name : name + ", " + text;
  }
}
