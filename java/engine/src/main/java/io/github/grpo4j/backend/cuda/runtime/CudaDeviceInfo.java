package io.github.grpo4j.backend.cuda.runtime;

import static org.bytedeco.cuda.global.cudart.cudaDevAttrComputeCapabilityMajor;
import static org.bytedeco.cuda.global.cudart.cudaDevAttrComputeCapabilityMinor;
import static org.bytedeco.cuda.global.cudart.cudaDevAttrMultiProcessorCount;

import io.github.grpo4j.backend.BackendException;
import org.bytedeco.cuda.cudart.cudaDeviceProp;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.SizeTPointer;

/**
 * The first GPU of this machine.
 *
 * @param capability compute capability, 10 times major plus minor: 90 for a Hopper
 * @param multiprocessors number of streaming multiprocessors
 * @param memoryBytes all of its memory
 * @param driverVersion newest CUDA version that the driver supports, 1000 times major plus 10 times minor
 * @param runtimeVersion of the CUDA runtime, likewise
 */
public record CudaDeviceInfo(
    String name, int capability, int multiprocessors, long memoryBytes, int driverVersion, int runtimeVersion) {
  /** libcuda.so.1 is there, but what is behind it is not: no kernel module, or a container without the device. */
  private static final int NO_DRIVER = 35;
  private static final int NO_DEVICE = 100;

  /**
   * @throws BackendException if there is no device
   * @throws LinkageError if the presets' own JNI library does not load
   */
  public static CudaDeviceInfo read() {
    int[] value = new int[1];
    int status = cudart.cudaGetDeviceCount(value);
    if (status == NO_DEVICE || (status == 0 && value[0] == 0)) {
      throw new BackendException("there is an NVIDIA driver, but no GPU that CUDA can see (nvidia-smi lists them; CUDA_VISIBLE_DEVICES hides them)");
    }
    if (status == NO_DRIVER) {
      throw new BackendException("the NVIDIA driver does not work or is too old for CUDA 13; nvidia-smi should name a version from 580 on");
    }
    CudaDevice.check(status, "cudaGetDeviceCount");
    int major = attribute(cudaDevAttrComputeCapabilityMajor);
    int minor = attribute(cudaDevAttrComputeCapabilityMinor);
    CudaDevice.check(cudart.cudaSetDevice(0), "cudaSetDevice");
    CudaDevice.check(cudart.cudaDriverGetVersion(value), "cudaDriverGetVersion");
    int driver = value[0];
    CudaDevice.check(cudart.cudaRuntimeGetVersion(value), "cudaRuntimeGetVersion");
    int runtime = value[0];
    try (cudaDeviceProp properties = new cudaDeviceProp(); SizeTPointer free = new SizeTPointer(1); SizeTPointer total = new SizeTPointer(1)) {
      CudaDevice.check(cudart.cudaGetDeviceProperties(properties, 0), "cudaGetDeviceProperties");
      CudaDevice.check(cudart.cudaMemGetInfo(free, total), "cudaMemGetInfo");
      return new CudaDeviceInfo(properties.name().getString(), 10 * major + minor, attribute(cudaDevAttrMultiProcessorCount), total.get(),
          driver, runtime);
    }
  }

  /** Bytes of the GPU that are free now, this process' context being open. Only on a machine with a usable GPU. */
  public static long freeBytes() {
    try (SizeTPointer free = new SizeTPointer(1); SizeTPointer total = new SizeTPointer(1)) {
      CudaDevice.check(cudart.cudaMemGetInfo(free, total), "cudaMemGetInfo");
      return free.get();
    }
  }

  private static int attribute(int attribute) {
    int[] value = new int[1];
    CudaDevice.check(cudart.cudaDeviceGetAttribute(value, attribute, 0), "cudaDeviceGetAttribute");
    return value[0];
  }

  /** For example {@code 9.0}. */
  public String capabilityText() {
    return capability / 10 + "." + capability % 10;
  }

  /** For example {@code 13.1} of 13010. */
  public static String versionText(int version) {
    return version / 1000 + "." + version % 1000 / 10;
  }
}
