package io.github.grpo4j.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.cpu.CpuBackend;
import io.github.grpo4j.model.safetensors.HalfFloats;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A back end with short ways to put arrays on it and to read them back. Closing it frees every tensor it gave out and
 * asserts that nothing else is left allocated.
 */
public final class TestDevice implements AutoCloseable {
  private final Backend backend;
  private final List<Tensor> tensors = new ArrayList<>();

  public TestDevice(Backend backend) {
    this.backend = backend;
  }

  public static TestDevice cpu(int threads) {
    return new TestDevice(TestBackends.open(threads));
  }

  public static TestDevice cpu(int threads, CpuBackend.Isa limit) {
    return new TestDevice(TestBackends.open(threads, limit));
  }

  public Backend backend() {
    return backend;
  }

  /** Zeroed. */
  public Tensor zeros(DType dtype, Layout layout, long... shape) {
    Tensor tensor = backend.allocate(dtype, layout, shape);
    tensors.add(tensor);
    return tensor;
  }

  /** A row-major tensor full of NaN: what an op forgets to write shows. */
  public Tensor output(DType dtype, long... shape) {
    Tensor tensor = zeros(dtype, Layout.ROWS, shape);
    if (dtype == DType.I32) {
      int[] values = new int[Math.toIntExact(tensor.elements())];
      Arrays.fill(values, Integer.MIN_VALUE);
      backend.upload(tensor, values, 0);
    } else {
      write(tensor, nan(tensor.elements()));
    }
    return tensor;
  }

  private static double[] nan(long elements) {
    double[] values = new double[Math.toIntExact(elements)];
    Arrays.fill(values, Double.NaN);
    return values;
  }

  /** A row-major copy. */
  public Tensor tensor(DType dtype, NdArray array) {
    Tensor tensor = zeros(dtype, Layout.ROWS, array.shape());
    write(tensor, array.values());
    return tensor;
  }

  /** A packed copy of a matrix. */
  public Tensor packed(DType dtype, NdArray matrix) {
    Tensor packed = zeros(dtype, Layout.PACKED, matrix.rows(), matrix.columns());
    backend.packRows(packed, 0, tensor(dtype, matrix.reshape(matrix.rows(), matrix.columns())));
    return packed;
  }

  public Tensor ints(int... values) {
    return ints(values, values.length);
  }

  public Tensor ints(int[] values, long... shape) {
    Tensor tensor = zeros(DType.I32, Layout.ROWS, shape);
    backend.upload(tensor, values, 0);
    return tensor;
  }

  /** The elements of a floating-point tensor, row-major whatever its layout. */
  public NdArray read(Tensor tensor) {
    if (tensor.layout() == Layout.PACKED) {
      Tensor rows = zeros(DType.F32, Layout.ROWS, tensor.shape());
      backend.unpackRows(rows, tensor, 0);
      return read(rows);
    }
    ByteBuffer bytes = buffer(tensor.bytes());
    backend.download(tensor, 0, bytes);
    double[] values = new double[Math.toIntExact(tensor.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = switch (tensor.dtype()) {
        case F32 -> bytes.getFloat(4 * i);
        case BF16 -> HalfFloats.fromBfloat16(bytes.getShort(2 * i));
        case F16 -> HalfFloats.fromFloat16(bytes.getShort(2 * i));
        case F64 -> bytes.getDouble(8 * i);
        case I32 -> bytes.getInt(4 * i);
      };
    }
    return new NdArray(values, tensor.shape());
  }

  public int[] readInts(Tensor tensor) {
    int[] values = new int[Math.toIntExact(tensor.elements())];
    backend.download(tensor, values, 0);
    return values;
  }

  /** Rounds to the tensor's type in Java, so that no kernel is trusted before it is tested. */
  private void write(Tensor tensor, double[] values) {
    ByteBuffer bytes = buffer(tensor.bytes());
    for (double value : values) {
      switch (tensor.dtype()) {
        case F32 -> bytes.putFloat((float) value);
        case BF16 -> bytes.putShort(HalfFloats.toBfloat16((float) value));
        case F16 -> bytes.putShort(Float16.of((float) value));
        case F64 -> bytes.putDouble(value);
        default -> throw new IllegalArgumentException("writing " + tensor);
      }
    }
    backend.upload(tensor, 0, bytes.flip());
  }

  private static ByteBuffer buffer(long bytes) {
    return ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.nativeOrder());
  }

  @Override
  public void close() {
    tensors.forEach(Tensor::close);
    assertEquals(0, backend.allocatedBytes(), "bytes still allocated at the end of the test");
    backend.close();
  }
}
