package io.github.grpo4j.session;

import io.github.grpo4j.backend.AttentionKernels;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.cpu.CpuBackend;
import io.github.grpo4j.backend.cuda.CudaBackend;
import io.github.grpo4j.backend.cuda.CudaInstallation;
import io.github.grpo4j.config.BackendOptions;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelDirectory;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.model.RandomWeights;
import io.github.grpo4j.run.ModelLocation;
import io.github.grpo4j.run.ModelState;
import io.github.grpo4j.text.TextException;
import io.github.grpo4j.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Function;

/** A back end with a model's weights and tokenizer on it: what training and evaluation start from. Owns all three. */
public final class ModelSession implements AutoCloseable {
  private final Resources resources = new Resources();
  private final Path directory;
  private final BackendOptions options;
  private final Backend backend;
  private final ModelWeights weights;
  private final Optional<Tokenizer> tokenizer;

  /** Tokenizer and weights are read at the same time: the one is work for one core, the other mostly waits for memory. */
  private ModelSession(Path directory, DType dtype, BackendOptions options, Function<Backend, ModelWeights> loader) {
    options.requireKernelsFor(dtype);
    this.directory = directory;
    this.options = options;
    CompletableFuture<Optional<Tokenizer>> reading = CompletableFuture.supplyAsync(() -> readTokenizer(directory));
    resources.own(() -> reading.thenAccept(read -> read.ifPresent(Tokenizer::close)));
    try {
      this.backend = resources.own(openBackend(options));
      this.weights = resources.own(loader.apply(backend));
      this.tokenizer = reading.join();
    } catch (CompletionException e) {
      resources.close();
      throw e.getCause() instanceof RuntimeException cause ? cause : e;
    } catch (RuntimeException e) {
      resources.close();
      throw e;
    }
  }

  private static Optional<Tokenizer> readTokenizer(Path directory) {
    return Files.exists(directory.resolve("tokenizer.json")) ? Optional.of(Tokenizer.load(directory)) : Optional.empty();
  }

  /** Opens the model that a configuration names, see {@link ModelLocation}. */
  public static ModelSession open(RunConfig config) {
    return open(ModelLocation.find(config.model().path()).model(), config.model().dtype(), config.backend());
  }

  /** Opens a model directory. Stop tokens are those that its tokenizer and generation files name. */
  public static ModelSession open(Path directory, DType dtype, BackendOptions options) {
    return new ModelSession(directory, dtype, options, backend -> ModelDirectory.load(backend, directory, dtype));
  }

  /** A model of the configuration's shape with seeded random weights; its directory needs config.json and the tokenizer only. */
  public static ModelSession openRandom(RunConfig config) {
    Path directory = ModelLocation.find(config.model().path()).model();
    return new ModelSession(directory, config.model().dtype(), config.backend(), backend ->
        RandomWeights.create(backend, ModelConfig.read(directory), config.model().dtype(), config.training().seed()));
  }

  /**
   * The back end that the options ask for.
   *
   * @throws BackendException if that is CUDA or cuDNN and it cannot be used here
   */
  public static Backend openBackend(BackendOptions options) {
    return switch (options.deviceKind()) {
      case CPU -> processor(options);
      case CUDA -> CudaBackend.create(options.resolvedThreads(), options.attention());
    };
  }

  private static Backend processor(BackendOptions options) {
    if (options.attention() == AttentionKernels.CUDNN) {
      String whyNoGpu = options.device() == BackendOptions.Device.CPU ? "backend.device is cpu" : CudaInstallation.find().problem().get();
      throw new BackendException("backend.attention is cudnn, which needs an NVIDIA GPU, and " + whyNoGpu + "; set it to own");
    }
    return CpuBackend.create(options.resolvedThreads());
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

  /** @throws TextException if the directory has no tokenizer.json */
  public Tokenizer tokenizer() {
    return tokenizer.orElseThrow(() -> new TextException("There is no tokenizer " + directory.resolve("tokenizer.json")
        + ": text needs one; only token ids can do without."));
  }

  /** Empty where the directory has no tokenizer.json: ids in and out still work. */
  public Optional<Tokenizer> tokenizerIfAny() {
    return tokenizer;
  }

  /** What a checkpoint keeps of this. */
  public ModelState state() {
    return new ModelState(backend, weights, directory);
  }

  /** Tokens that end a completion; without a tokenizer the one that config.json names, if it does. */
  public Set<Integer> stopIds() {
    Set<Integer> stop = tokenizer.map(read -> Set.copyOf(read.special().stop())).orElse(Set.of());
    int declared = weights.config().eosTokenId();
    return stop.isEmpty() && declared >= 0 ? Set.of(declared) : stop;
  }

  @Override
  public void close() {
    resources.close();
  }
}
