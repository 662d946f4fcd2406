package io.github.grpo4j.backend.cuda.runtime;

import static org.bytedeco.cuda.global.cudart.cudaEventDisableTiming;
import static org.bytedeco.cuda.global.cudart.cudaMemcpyDefault;
import static org.bytedeco.cuda.global.cudart.cudaStreamNonBlocking;

import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cudart;

/** A stream beside the device's own, for copies between pinned host memory and the device, and what is done with them. */
public final class CudaLane implements AutoCloseable {
  private final CudaDevice device;
  private final CUstream_st stream = new CUstream_st();
  private final CUevent_st ready = new CUevent_st();
  private final CUevent_st done = new CUevent_st();
  private final CudaDevice.Address first = new CudaDevice.Address();
  private final CudaDevice.Address second = new CudaDevice.Address();

  public CudaLane(CudaDevice device) {
    this.device = device;
    CudaDevice.check(cudart.cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    for (CUevent_st event : new CUevent_st[] {ready, done}) {
      CudaDevice.check(cudart.cudaEventCreateWithFlags(event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
    }
  }

  /** The {@code cudaStream_t}. */
  public long address() {
    return stream.address();
  }

  /** What is queued here from now on comes after all that is queued on the device's own stream now. */
  public void follow() {
    wait(stream, ready, device.stream());
  }

  /** What is queued on the device's own stream from now on comes after all that is queued here now. */
  public void lead() {
    wait(device.stream(), done, stream);
  }

  private static void wait(CUstream_st later, CUevent_st event, CUstream_st earlier) {
    CudaDevice.check(cudart.cudaEventRecord(event, earlier), "cudaEventRecord");
    CudaDevice.check(cudart.cudaStreamWaitEvent(later, event, 0), "cudaStreamWaitEvent");
  }

  /** Between pinned host memory and the device, either way. */
  public void copy(long to, long from, long bytes) {
    CudaDevice.check(cudart.cudaMemcpyAsync(first.at(to), second.at(from), bytes, cudaMemcpyDefault, stream), "cudaMemcpyAsync");
  }

  /** Waits until everything queued here is done. */
  public void synchronize() {
    CudaDevice.check(cudart.cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  }

  @Override
  public void close() {
    cudart.cudaStreamSynchronize(stream);
    cudart.cudaEventDestroy(ready);
    cudart.cudaEventDestroy(done);
    cudart.cudaStreamDestroy(stream);
  }
}
