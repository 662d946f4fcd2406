package io.github.grpo4j.backend.cuda.runtime;

import static org.bytedeco.cuda.global.cudart.cudaErrorMemoryAllocation;
import static org.bytedeco.cuda.global.cudart.cudaMemcpyDefault;
import static org.bytedeco.cuda.global.cudart.cudaMemcpyDeviceToDevice;
import static org.bytedeco.cuda.global.cudart.cudaMemcpyDeviceToHost;
import static org.bytedeco.cuda.global.cudart.cudaMemcpyHostToDevice;
import static org.bytedeco.cuda.global.cudart.cudaStreamNonBlocking;
import static org.bytedeco.cuda.global.cudart.cudaSuccess;

import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.backend.cuda.CudaInstallation;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.Pointer;

/**
 * The first GPU with one stream: memory, fills and copies. Work is queued in order and may be under way when a call returns;
 * what brings bytes to the host waits for them.
 *
 * <p>Only behind {@link CudaInstallation#usable}: this class and those it uses are bound to NVIDIA's libraries.
 */
public final class CudaDevice implements AutoCloseable {
  private final CUstream_st stream = new CUstream_st();
  private final Address first = new Address();
  private final Address second = new Address();
  private final PinnedStaging staging;
  /** The last one is the largest and in use; recorded graphs may still name the others. */
  private final List<Long> scratch = new ArrayList<>();
  private long scratchBytes;
  private boolean closed;

  public CudaDevice() {
    check(cudart.cudaSetDevice(0), "cudaSetDevice");
    check(cudart.cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    staging = new PinnedStaging(this);
  }

  /** The {@code cudaStream_t} that kernels are launched on. */
  public long streamAddress() {
    return stream.address();
  }

  public CUstream_st stream() {
    return stream;
  }

  // ---- memory ----

  /** Zeroed memory, or 0 if the device has no more. */
  public long allocate(long bytes) {
    long address = allocateRaw(bytes);
    if (address != 0) {
      zero(address, bytes);
    }
    return address;
  }

  /** As it comes, or 0. */
  public long allocateRaw(long bytes) {
    Address result = first.at(0);
    int status = cudart.cudaMalloc(result, bytes);
    if (status == cudaErrorMemoryAllocation) {
      cudart.cudaGetLastError();
      return 0;
    }
    check(status, "cudaMalloc");
    return result.address();
  }

  /** Waits for what still uses the memory. Works on a closed device, too. */
  public void free(long address) {
    if (!closed) {
      synchronize();
    }
    check(cudart.cudaFree(first.at(address)), "cudaFree");
  }

  /** Zeroed page-locked memory of the host, or 0 if there is no more. */
  public static long allocatePinned(long bytes) {
    Address result = new Address();
    int status = cudart.cudaMallocHost(result, bytes);
    if (status == cudaErrorMemoryAllocation) {
      cudart.cudaGetLastError();
      return 0;
    }
    check(status, "cudaMallocHost");
    Pointer.memset(result, 0, bytes);
    return result.address();
  }

  /** Waits for what still uses the memory. Works on a closed device, too. */
  public void freePinned(long address) {
    if (!closed) {
      synchronize();
    }
    check(cudart.cudaFreeHost(first.at(address)), "cudaFreeHost");
  }

  /**
   * Memory for one op's intermediate values. The next op may ask for it too: it runs later on the same stream. It grows by
   * doubling, and what was given out once stays valid.
   *
   * @throws BackendException if the device has no more
   */
  public long scratch(long bytes) {
    if (bytes > scratchBytes) {
      long grown = Math.max(bytes, 2 * scratchBytes);
      long address = allocateRaw(grown);
      if (address == 0) {
        throw new BackendException("the GPU has no " + grown + " bytes left for intermediate values");
      }
      scratch.add(address);
      scratchBytes = grown;
    }
    return scratch.isEmpty() ? 0 : scratch.get(scratch.size() - 1);
  }

  public void zero(long address, long bytes) {
    check(cudart.cudaMemsetAsync(first.at(address), 0, bytes, stream), "cudaMemsetAsync");
  }

  // ---- copies ----

  /** Device to device. */
  public void copy(long to, long from, long bytes) {
    check(cudart.cudaMemcpyAsync(first.at(to), second.at(from), bytes, cudaMemcpyDeviceToDevice, stream), "cudaMemcpyAsync");
  }

  /** From host memory, which is free again when this returns if it is pageable, and when the stream got there if it is pinned. */
  public void upload(long to, long hostAddress, long bytes) {
    check(cudart.cudaMemcpyAsync(first.at(to), second.at(hostAddress), bytes, cudaMemcpyHostToDevice, stream), "cudaMemcpyAsync");
  }

  /** To host memory: if it is pinned, when the stream gets there. */
  void send(long hostAddress, long from, long bytes) {
    check(cudart.cudaMemcpyAsync(first.at(hostAddress), second.at(from), bytes, cudaMemcpyDeviceToHost, stream), "cudaMemcpyAsync");
  }

  /** To host memory; waits. */
  public void download(long hostAddress, long from, long bytes) {
    send(hostAddress, from, bytes);
    synchronize();
  }

  /** Between the device and pinned memory of the host, in the order of the stream, either way. */
  public void transfer(long to, long from, long bytes) {
    check(cudart.cudaMemcpyAsync(first.at(to), second.at(from), bytes, cudaMemcpyDefault, stream), "cudaMemcpyAsync");
  }

  /** Arrays cross through pinned memory. */
  public PinnedStaging staging() {
    return staging;
  }

  /** Waits until everything queued on the device's own stream is done; a fault of a kernel shows here at the latest. */
  public void synchronize() {
    check(cudart.cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  }

  @Override
  public void close() {
    closed = true;
    cudart.cudaStreamSynchronize(stream);
    scratch.forEach(address -> cudart.cudaFree(first.at(address)));
    staging.close();
    cudart.cudaStreamDestroy(stream);
  }

  /** @throws BackendException with NVIDIA's name of the error and its explanation */
  public static void check(int status, String call) {
    if (status != cudaSuccess) {
      String name = cudart.cudaGetErrorName(status).getString();
      String reason = cudart.cudaGetErrorString(status).getString();
      throw new BackendException(call + " failed: " + (reason.equals(name) ? name : name + ", " + reason));
    }
  }

  /** NVIDIA's sentence about what went wrong last, and forgets it where that is possible. */
  public static String lastError() {
    int status = cudart.cudaGetLastError();
    return status == cudaSuccess ? "no error of the CUDA runtime" : cudart.cudaGetErrorString(status).getString();
  }

  /** A pointer that is moved from address to address, so that a call makes no garbage. */
  public static final class Address extends Pointer {
    public Address at(long value) {
      address = value;
      return this;
    }
  }
}
