package io.github.grpo4j.cli;

import io.github.grpo4j.backend.DType;
import io.github.grpo4j.config.BackendOptions;
import io.github.grpo4j.config.BackendOptions.Device;
import io.github.grpo4j.run.ModelLocation;
import io.github.grpo4j.session.ModelSession;
import picocli.CommandLine.Option;

/** Options of every command that runs a model. */
final class ModelOptions {
  @Option(names = "--model", required = true, paramLabel = "DIR",
      description = "Hugging Face model directory, run directory, checkpoint, or builtin:tiny.")
  private String model;

  @Option(names = "--dtype", defaultValue = "f32", converter = StorageType.class, paramLabel = "TYPE",
      description = StorageType.HELP + " (f32).")
  private DType dtype;

  @Option(names = "--device", defaultValue = "auto", description = "What to run on: ${COMPLETION-CANDIDATES}; auto takes a usable GPU (auto).")
  private DeviceOption device;

  @Option(names = "--threads", defaultValue = "0", paramLabel = "N", description = "Threads of the CPU back end; 0 takes all cores (0).")
  private int threads;

  /** The kinds of device. */
  enum DeviceOption {
    auto(Device.AUTO),
    cpu(Device.CPU),
    cuda(Device.CUDA);

    final Device device;

    DeviceOption(Device device) {
      this.device = device;
    }
  }

  /** Weights, and the tokenizer if there is one. */
  ModelSession open() {
    return ModelSession.open(ModelLocation.find(model).model(), dtype, new BackendOptions(device.device, threads));
  }
}
