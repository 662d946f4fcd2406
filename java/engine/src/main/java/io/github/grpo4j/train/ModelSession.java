package io.github.grpo4j.train;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.backend.CpuBackend;
import io.github.grpo4j.backend.CudaBackend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.cuda.CudaInstallation;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelDirectory;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.model.RandomWeights;
import io.github.grpo4j.text.Tokenizer;
import io.github.grpo4j.train.config.BackendOptions;
import io.github.grpo4j.train.config.RunConfig;
import java.nio.file.Path;
import java.util.Set;
import java.util.function.Function;

/** A back end with a model's weights and tokenizer on it: what training and evaluation start from. Owns all three. */
public final class ModelSession implements AutoCloseable {
  private final Path directory;
  private final BackendOptions options;
  private final Backend backend;
  private final ModelWeights weights;
  private final Tokenizer tokenizer;

  private ModelSession(Path directory, BackendOptions options, Backend backend, ModelWeights weights, Tokenizer tokenizer) {
    this.directory = directory;
    this.options = options;
    this.backend = backend;
    this.weights = weights;
    this.tokenizer = tokenizer;
  }

  /** Opens the model that a configuration names, see {@link ModelLocation}. */
  public static ModelSession open(RunConfig config) {
    return open(ModelLocation.find(config.model().path()).model(), config.model().dtype(), config.backend());
  }

  /** Opens a model directory. Stop tokens are those that its tokenizer and generation files name. */
  public static ModelSession open(Path directory, DType dtype, BackendOptions options) {
    return open(directory, options, backend -> ModelDirectory.load(backend, directory, dtype));
  }

  /** A model of the configuration's shape with seeded random weights; its directory needs config.json and the tokenizer only. */
  public static ModelSession openRandom(RunConfig config) {
    Path directory = ModelLocation.find(config.model().path()).model();
    return open(directory, config.backend(), backend ->
        RandomWeights.create(backend, ModelConfig.read(directory), config.model().dtype(), config.training().seed()));
  }

  private static ModelSession open(Path directory, BackendOptions options, Function<Backend, ModelWeights> weights) {
    Backend backend = openBackend(options);
    Tokenizer tokenizer = null;
    try {
      tokenizer = Tokenizer.load(directory);
      return new ModelSession(directory, options, backend, weights.apply(backend), tokenizer);
    } catch (RuntimeException e) {
      if (tokenizer != null) {
        tokenizer.close();
      }
      backend.close();
      throw e;
    }
  }

  /**
   * The back end that the options ask for.
   *
   * @throws BackendException if that is CUDA and it cannot be used here
   */
  public static Backend openBackend(BackendOptions options) {
    return switch (options.device()) {
      case CPU -> CpuBackend.create(options.resolvedThreads());
      case CUDA -> CudaBackend.create();
      case AUTO -> CudaInstallation.find().usable() ? CudaBackend.create() : CpuBackend.create(options.resolvedThreads());
    };
  }

  /** What {@link #openBackend} opens, in a line for people; where AUTO did without a GPU, with the reason. */
  public static String describe(Backend backend, BackendOptions options) {
    boolean fellBack = options.device() == BackendOptions.Device.AUTO && !CudaInstallation.find().usable();
    return backend.description() + (fellBack ? " (no GPU: " + CudaInstallation.find().problem().get() + ")" : "");
  }

  public Path directory() {
    return directory;
  }

  public Backend backend() {
    return backend;
  }

  /** One line on what the model runs on. */
  public String device() {
    return describe(backend, options);
  }

  public ModelWeights weights() {
    return weights;
  }

  public Tokenizer tokenizer() {
    return tokenizer;
  }

  /** Tokens that end an answer. */
  public Set<Integer> stopIds() {
    return Set.copyOf(tokenizer.special().stop());
  }

  @Override
  public void close() {
    weights.close();
    tokenizer.close();
    backend.close();
  }
}
