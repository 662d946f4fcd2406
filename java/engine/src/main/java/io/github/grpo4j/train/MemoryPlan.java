package io.github.grpo4j.train;

import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.KvCache;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ParameterShape;
import io.github.grpo4j.model.RotaryTable;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.rollout.Generator;
import io.github.grpo4j.train.config.RunConfig;
import io.github.grpo4j.train.config.TrainingOptions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * What a run will allocate, computed from its configuration and the model's config.json: no weight is read and no device is
 * opened. All large memory of a run is taken when it starts and stays as it is, so what fits then fits to the end.
 *
 * <p>Prompts are taken to be as long as {@code data.max_prompt_tokens} allows. What is no tensor (Java heap and code, tokenizer)
 * is one part, an estimate. Left out is the model file: mapped to be loaded, it counts as resident until the next garbage
 * collection, but its pages are the system's cache, which gives them up when memory is short.
 *
 * @param availableBytes that this machine has left, or {@link MachineMemory#UNKNOWN}
 */
public record MemoryPlan(ModelConfig model, List<Part> parts, long availableBytes) {
  /**
   * @param about what the size comes from, for people
   * @param option what makes it smaller; empty where nothing does
   */
  public record Part(String name, long bytes, String about, String option) {}

  private static final String JAVA = "Java";

  public MemoryPlan {
    parts = List.copyOf(parts);
  }

  /** The plan of {@code train}. */
  public static MemoryPlan training(RunConfig config) {
    ModelConfig model = modelOf(config);
    DType dtype = config.model().dtype();
    int longest = longestSequence(config, model);
    TrainingOptions training = config.training();
    CausalLm.Recompute recompute = CausalLm.Recompute.valueOf(training.recompute().name());
    String stored = dtype.name().toLowerCase(Locale.ROOT);
    List<Part> parts = new ArrayList<>();
    parts.add(weights(model, dtype, longest));
    parts.add(new Part("gradients", Gradients.bytes(model), "f32", "a smaller model"));
    parts.add(new Part("optimizer", AdamW.bytes(model, dtype), dtype == DType.F32 ? "AdamW: two moments, f32" : "AdamW: master and two moments, f32",
        "a smaller model"));
    if (config.objective().kl().isUsed()) {
      parts.add(new Part("reference model", ReferencePolicy.bytes(config, model, longest), stored + ", with a forward pass of its own",
          "grpo.kl_coef=0"));
    }
    parts.addAll(rollout(config, model, longest, config.episodesPerStep()));
    parts.add(new Part("activations, logits", GradientPass.bytes(model, dtype, training.microBatchTokens(), longest, recompute),
        String.format(Locale.ROOT, "%,d tokens at once, recompute %s", Math.max(training.microBatchTokens(), longest),
            training.recompute().name().toLowerCase(Locale.ROOT)),
        recompute == CausalLm.Recompute.LAYER ? "training.micro_batch_tokens" : "training.recompute=layer or training.micro_batch_tokens"));
    parts.add(java(config));
    return new MemoryPlan(model, parts, MachineMemory.availableBytes());
  }

  /** The plan of an evaluation of {@code answers} answers. */
  static MemoryPlan evaluation(RunConfig config, int answers) {
    ModelConfig model = modelOf(config);
    int longest = longestSequence(config, model);
    List<Part> parts = new ArrayList<>();
    parts.add(weights(model, config.model().dtype(), longest));
    parts.addAll(rollout(config, model, longest, answers));
    parts.add(java(config));
    return new MemoryPlan(model, parts, MachineMemory.availableBytes());
  }

  private static ModelConfig modelOf(RunConfig config) {
    return ModelConfig.read(ModelLocation.find(config.model().path()).model());
  }

  /** Prompt and answer together; a model's own limit is a limit here, too, since nothing longer can be opened. */
  private static int longestSequence(RunConfig config, ModelConfig model) {
    return (int) Math.min((long) config.data().maxPromptTokens() + config.rollout().maxNewTokens(), model.maxPositions());
  }

  private static Part weights(ModelConfig model, DType dtype, int longest) {
    long bytes = ParameterShape.bytes(model, dtype) + RotaryTable.bytes(longest, model.headDim());
    return new Part("weights", bytes,
        String.format(Locale.ROOT, "%,d parameters, %s", model.parameterCount(), dtype.name().toLowerCase(Locale.ROOT)),
        dtype == DType.F32 ? "model.dtype=bf16" : "a smaller model");
  }

  private static Part java(RunConfig config) {
    return new Part(JAVA, JavaMemory.bytes(ModelLocation.find(config.model().path()).model()), "heap, code, tokenizer; the rest are tensors",
        "a smaller initial heap, GRPO4J_JAVA_OPTS='-Xms64m -Xmx2g'");
  }

  private static List<Part> rollout(RunConfig config, ModelConfig model, int longest, int answers) {
    DType dtype = config.model().dtype();
    Generator.Limits limits = RolloutLimits.of(config, model, longest, answers);
    return List.of(
        new Part("KV cache", limits.kvBlocks() * KvCache.blockBytes(model, dtype),
            String.format(Locale.ROOT, "%,d blocks of 32 tokens", limits.kvBlocks()), "rollout.kv_cache_mb or rollout.max_batch"),
        new Part("rollout workspace", Generator.workingBytes(model, dtype, limits),
            String.format(Locale.ROOT, "%,d answers at once, up to %,d tokens each", limits.maxRows(), longest), "rollout.max_batch"));
  }

  /** Of the whole process. */
  public long totalBytes() {
    return parts.stream().mapToLong(Part::bytes).sum();
  }

  /** Of that, what the back end will own. */
  public long tensorBytes() {
    return parts.stream().filter(part -> !part.name().equals(JAVA)).mapToLong(Part::bytes).sum();
  }

  /** False only where it is known that the memory will not do. */
  public boolean fits() {
    return availableBytes == MachineMemory.UNKNOWN || totalBytes() <= availableBytes;
  }

  /** @throws BackendException with the plan's numbers and the options to change, if it does not fit */
  public void requireFits() {
    if (!fits()) {
      String largest = parts.stream().sorted(Comparator.comparingLong(Part::bytes).reversed())
          .map(part -> part.name() + " " + gib(part.bytes()) + " (" + part.option() + ")").collect(Collectors.joining(", "));
      throw new BackendException("this run needs " + gib(totalBytes()) + " of memory, and " + gib(availableBytes)
          + " are available: " + largest + ". In brackets stands what to change; grpo4j plan shows the effect");
    }
  }

  private static String gib(long bytes) {
    return String.format(Locale.ROOT, "%.2f GiB", bytes / (double) (1L << 30));
  }
}
