package io.github.grpo4j.cli;

import io.github.grpo4j.backend.AttentionKernels;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.config.BackendOptions;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelDirectory;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.model.RandomWeights;
import io.github.grpo4j.run.ModelLocation;
import io.github.grpo4j.session.ModelSession;
import java.nio.file.Path;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/** What every benchmark runs on: a model or the shape of one, a storage type, threads. */
final class BenchOptions {
  private static final long SEED = 0;

  @ArgGroup(multiplicity = "1", exclusive = true)
  private Source source;

  @Option(names = "--dtype", defaultValue = "f32", converter = StorageType.class, paramLabel = "TYPE",
      description = StorageType.HELP + " (f32).")
  private DType dtype;

  @Option(names = "--device", defaultValue = "auto",
      description = "What to run on: ${COMPLETION-CANDIDATES}; auto takes a usable GPU (auto).")
  private ModelOptions.DeviceOption device;

  @Option(names = "--threads", defaultValue = "0", paramLabel = "N", description = "Threads of the CPU back end; 0 takes all cores (0).")
  private int threads;

  @Option(names = "--json", description = "One JSON object a line instead of the table.")
  private boolean json;

  @Option(names = "--out", paramLabel = "FILE", description = "Also writes what --json prints to this file.")
  private Path out;

  /** Where the weights come from. */
  private static final class Source {
    @Option(names = "--model", paramLabel = "DIR", description = "Hugging Face model directory, run directory, checkpoint, or builtin:tiny.")
    private String model;

    @Option(names = "--random", paramLabel = "CONFIG.json",
        description = "A Hugging Face config.json in place of a model: seeded random weights of that shape.")
    private Path random;
  }

  Backend openBackend() {
    options().requireKernelsFor(dtype);
    return ModelSession.openBackend(options());
  }

  /** The same device, with attention by cuDNN. */
  Backend openCudnn() {
    return ModelSession.openBackend(new BackendOptions(device.device, threads, AttentionKernels.CUDNN));
  }

  private BackendOptions options() {
    return new BackendOptions(device.device, threads);
  }

  DType dtype() {
    return dtype;
  }

  String dtypeName() {
    return dtype.optionName();
  }

  ModelConfig config() {
    return ModelConfig.read(source.random != null ? source.random : directory());
  }

  ModelWeights weights(Backend backend) {
    return source.random != null ? RandomWeights.create(backend, config(), dtype(), SEED) : ModelDirectory.load(backend, directory(), dtype());
  }

  private Path directory() {
    return ModelLocation.find(source.model).model();
  }

  BenchReport report() {
    return BenchReport.open(json, out);
  }

  /** What was measured, above a table. */
  String title(Backend backend) {
    String weights = source.random != null ? "random weights of " + source.random : source.model;
    return weights + ", " + dtypeName() + "; " + ModelSession.describe(backend, options());
  }
}
