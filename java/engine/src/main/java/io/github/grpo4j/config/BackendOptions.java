package io.github.grpo4j.config;

import io.github.grpo4j.backend.AttentionKernels;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.DeviceKind;
import io.github.grpo4j.backend.cuda.CudaInstallation;
import io.github.grpo4j.options.Check;

/**
 * What the run computes on.
 *
 * @param device CPU, CUDA, or AUTO: CUDA where there is a usable GPU
 * @param threads threads of the CPU back end; 0: one per core. The results do not depend on it
 * @param attention whose kernels compute the attention of packed sequences on a GPU: OWN, or CUDNN, which must be installed
 */
public record BackendOptions(Device device, int threads, AttentionKernels attention) {
  /** Kinds of device. */
  public enum Device {
    AUTO,
    CPU,
    CUDA
  }

  static final BackendOptions DEFAULTS = new BackendOptions(Device.AUTO, 0);

  public BackendOptions {
    Check.atLeast(0, "backend.threads", threads);
  }

  /** With the own attention. */
  public BackendOptions(Device device, int threads) {
    this(device, threads, AttentionKernels.OWN);
  }

  /** {@link #threads}, with 0 replaced by the number of cores. */
  public int resolvedThreads() {
    return threads == 0 ? Runtime.getRuntime().availableProcessors() : threads;
  }

  /** @throws ConfigException with what to change, if what is asked for has no kernels for models of that storage type */
  public void requireKernelsFor(DType dtype) {
    if (dtype == DType.F16 && deviceKind() == DeviceKind.CPU) {
      String whyNoGpu = device == Device.CPU ? "backend.device is cpu" : CudaInstallation.find().problem().get();
      throw new ConfigException("model.dtype is f16, which needs an NVIDIA GPU (the CPU computes with f32 and bf16), and " + whyNoGpu
          + "; set model.dtype (--dtype) to bf16 or f32");
    }
  }

  /** The kind of back end that is asked for, whether it can be had or not. */
  public DeviceKind deviceKind() {
    return switch (device) {
      case CPU -> DeviceKind.CPU;
      case CUDA -> DeviceKind.CUDA;
      case AUTO -> CudaInstallation.find().usable() ? DeviceKind.CUDA : DeviceKind.CPU;
    };
  }
}
