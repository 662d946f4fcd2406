package io.github.grpo4j.memory;

import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.DeviceKind;
import io.github.grpo4j.backend.cuda.CudaInstallation;
import io.github.grpo4j.backend.cuda.runtime.CudaDeviceInfo;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.config.TrainingOptions;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.KvCache;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ParameterShape;
import io.github.grpo4j.model.RotaryTable;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.rollout.Generator;
import io.github.grpo4j.run.ModelLocation;
import io.github.grpo4j.update.GradientPass;
import io.github.grpo4j.update.ReferencePolicy;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * What a run will allocate, computed from its configuration and the model's config.json: no weight is read and no device is
 * needed. All large memory of a run is taken when it starts and stays as it is, so what fits then fits to the end.
 *
 * <p>A run on a GPU has parts in the GPU's memory and parts in the machine's; any other has all in the machine's. Prompts are taken to
 * be as long as {@code data.max_prompt_tokens} allows. What is no tensor (Java heap and code, tokenizer; on a GPU what cuBLAS and
 * kernels need) is one part, an estimate. Left out is the model file: mapped to be loaded, it counts as resident until the next garbage
 * collection (training asks for one before its first step), but its pages are the system's cache, which gives them up when memory is
 * short. Left out, too, is CUDA's own context: what a GPU has left is asked for with the context open.
 *
 * @param device what the run computes on
 * @param availableBytes that this machine has left, or {@link MachineMemory#UNKNOWN}
 * @param availableGpuBytes that the GPU has left, or {@link MachineMemory#UNKNOWN}: no GPU is here, or none is asked for
 */
public record MemoryPlan(ModelConfig model, DeviceKind device, List<Part> parts, long availableBytes, long availableGpuBytes) {
  /** Whose memory it is. */
  public enum Memory {
    GPU("GPU memory"),
    MACHINE("memory");

    private final String title;

    Memory(String title) {
      this.title = title;
    }

    /** For people. */
    public String title() {
      return title;
    }
  }

  /**
   * @param about what the size comes from, for people
   * @param option what makes it smaller; empty where nothing does
   */
  public record Part(String name, Memory memory, long bytes, String about, String option) {}

  private static final String JAVA = "Java";
  private static final String CUDA = "CUDA";

  public MemoryPlan {
    parts = List.copyOf(parts);
  }

  private static MemoryPlan of(ModelConfig model, DeviceKind device, List<Part> parts) {
    return new MemoryPlan(model, device, parts, MachineMemory.availableBytes(),
        device == DeviceKind.CUDA && CudaInstallation.find().usable() ? CudaDeviceInfo.freeBytes() : MachineMemory.UNKNOWN);
  }

  /** The plan of {@code train}. */
  public static MemoryPlan training(RunConfig config) {
    config.backend().requireKernelsFor(config.model().dtype());
    ModelConfig model = modelOf(config);
    DeviceKind device = config.backend().deviceKind();
    Memory own = ownMemory(device);
    DType dtype = config.model().dtype();
    int longest = longestSequence(config, model);
    TrainingOptions training = config.training();
    CausalLm.Recompute recompute = CausalLm.Recompute.valueOf(training.recompute().name());
    String stored = dtype.name().toLowerCase(Locale.ROOT);
    List<Part> parts = new ArrayList<>();
    parts.add(weights(model, dtype, longest, device));
    parts.add(new Part("gradients", own, Gradients.bytes(model, device), "f32", "a smaller model"));
    parts.addAll(optimizer(config, model, device));
    if (config.needsReference()) {
      parts.addAll(reference(config, model, longest, device));
    }
    parts.addAll(rollout(config, model, longest, config.episodesPerStep(), own));
    long beside = config.loss().needsExactKl() ? GradientPass.referenceBytes(model, dtype, training.microBatchTokens(), longest) : 0;
    parts.add(new Part("activations, logits", own, GradientPass.bytes(model, dtype, training.microBatchTokens(), longest, recompute) + beside,
        String.format(Locale.ROOT, "%,d tokens at once, recompute %s", Math.max(training.microBatchTokens(), longest),
            training.recompute().name().toLowerCase(Locale.ROOT)),
        recompute == CausalLm.Recompute.LAYER ? "training.micro_batch_tokens" : "training.recompute=layer or training.micro_batch_tokens"));
    parts.addAll(others(config, device));
    return of(model, device, parts);
  }

  private static List<Part> reference(RunConfig config, ModelConfig model, int longest, DeviceKind device) {
    DType dtype = config.model().dtype();
    String stored = dtype.name().toLowerCase(Locale.ROOT);
    long weights = ReferencePolicy.weightBytes(model, dtype, device);
    long positions = ReferencePolicy.bytes(model, longest);
    if (!config.referenceOnHost()) {
      return List.of(new Part("reference model", ownMemory(device), weights + positions, stored, "grpo.kl.coef=0"));
    }
    return List.of(
        new Part("reference model", Memory.MACHINE, weights, stored + ", in the place of gradients while it is used", "grpo.kl.coef=0"),
        new Part("reference positions", ownMemory(device), positions, "f32", "grpo.kl.coef=0"));
  }

  /** The plan of an evaluation of {@code completions} completions. */
  public static MemoryPlan evaluation(RunConfig config, int completions) {
    config.backend().requireKernelsFor(config.model().dtype());
    ModelConfig model = modelOf(config);
    DeviceKind device = config.backend().deviceKind();
    int longest = longestSequence(config, model);
    List<Part> parts = new ArrayList<>();
    parts.add(weights(model, config.model().dtype(), longest, device));
    parts.addAll(rollout(config, model, longest, completions, ownMemory(device)));
    parts.addAll(others(config, device));
    return of(model, device, parts);
  }

  private static Memory ownMemory(DeviceKind device) {
    return device.hasOwnMemory() ? Memory.GPU : Memory.MACHINE;
  }

  private static ModelConfig modelOf(RunConfig config) {
    return ModelConfig.read(ModelLocation.find(config.model().path()).model());
  }

  /** Prompt and completion together; a model's own limit is a limit here, too, since nothing longer can be opened. */
  private static int longestSequence(RunConfig config, ModelConfig model) {
    return (int) Math.min((long) config.data().maxPromptTokens() + config.rollout().maxNewTokens(), model.maxPositions());
  }

  private static Part weights(ModelConfig model, DType dtype, int longest, DeviceKind device) {
    long bytes = ParameterShape.bytes(model, dtype, device) + RotaryTable.bytes(longest, model.headDim());
    return new Part("weights", ownMemory(device), bytes,
        String.format(Locale.ROOT, "%,d parameters, %s", model.parameterCount(), dtype.name().toLowerCase(Locale.ROOT)),
        dtype == DType.F32 ? "model.dtype=bf16" : "a smaller model");
  }

  /** States beside the weights, or on the host; then buckets of them, or of gradients, are on their way in another part. */
  private static List<Part> optimizer(RunConfig config, ModelConfig model, DeviceKind device) {
    DType dtype = config.model().dtype();
    AdamW.Placement placement = config.optimizer().placement();
    long ofDevice = AdamW.deviceBytes(model, dtype, placement, device);
    long ofHost = AdamW.hostBytes(model, dtype, placement, device);
    String states = dtype == DType.F32 ? "AdamW: two moments, f32" : "AdamW: master and two moments, f32";
    if (ofHost == 0) {
      return List.of(new Part("optimizer", ownMemory(device), ofDevice, states, device.hasOwnMemory() ? "optimizer.placement=offload" : "a smaller model"));
    }
    List<Part> parts = new ArrayList<>();
    if (ofDevice > 0) {
      parts.add(new Part("optimizer's buckets", Memory.GPU, ofDevice, "states on their way", "optimizer.placement=host"));
    }
    parts.add(new Part("optimizer", Memory.MACHINE, ofHost, states + ", page-locked", "optimizer.placement=device or a smaller model"));
    return parts;
  }

  private static List<Part> others(RunConfig config, DeviceKind device) {
    List<Part> parts = new ArrayList<>();
    if (device.ownBytes() > 0) {
      parts.add(new Part(CUDA, Memory.GPU, device.ownBytes(), "room for cuBLAS and kernels", ""));
    }
    parts.add(new Part(JAVA, Memory.MACHINE, JavaMemory.bytes(ModelLocation.find(config.model().path()).model()),
        "heap, code, tokenizer" + (device.hasOwnMemory() ? "" : "; the rest are tensors"), "a smaller initial heap, GRPO4J_JAVA_OPTS='-Xms64m -Xmx2g'"));
    return parts;
  }

  private static List<Part> rollout(RunConfig config, ModelConfig model, int longest, int completions, Memory memory) {
    DType dtype = config.model().dtype();
    Generator.Limits limits = RolloutLimits.of(config, model, longest, completions);
    return List.of(
        new Part("KV cache", memory, limits.kvBlocks() * KvCache.blockBytes(model, dtype),
            String.format(Locale.ROOT, "%,d blocks of 32 tokens", limits.kvBlocks()), "rollout.kv_cache_mb or rollout.max_batch"),
        new Part("rollout workspace", memory, Generator.workingBytes(model, dtype, limits),
            String.format(Locale.ROOT, "%,d completions at once, up to %,d tokens each", limits.maxRows(), longest), "rollout.max_batch"));
  }

  /** The memories that the run has parts in. */
  public List<Memory> memories() {
    return device.hasOwnMemory() ? List.of(Memory.GPU, Memory.MACHINE) : List.of(Memory.MACHINE);
  }

  public List<Part> parts(Memory memory) {
    return parts.stream().filter(part -> part.memory() == memory).toList();
  }

  public long totalBytes(Memory memory) {
    return parts(memory).stream().mapToLong(Part::bytes).sum();
  }

  /** What is left of a memory, or {@link MachineMemory#UNKNOWN}. */
  public long availableBytes(Memory memory) {
    return memory == Memory.GPU ? availableGpuBytes : availableBytes;
  }

  /** Of the total, what the back end will own as tensors. */
  public long tensorBytes(Memory memory) {
    return parts(memory).stream().filter(part -> !part.name().equals(JAVA) && !part.name().equals(CUDA)).mapToLong(Part::bytes).sum();
  }

  /** False only where it is known that the memory will not do. */
  public boolean fits(Memory memory) {
    return availableBytes(memory) == MachineMemory.UNKNOWN || totalBytes(memory) <= availableBytes(memory);
  }

  public boolean fits() {
    return memories().stream().allMatch(this::fits);
  }

  /** @throws BackendException with the plan's numbers and the options to change, if it does not fit */
  public void requireFits() {
    List<String> problems = memories().stream().filter(memory -> !fits(memory)).map(this::problem).toList();
    if (!problems.isEmpty()) {
      throw new BackendException(String.join("; ", problems) + ". In brackets stands what to change; grpo4j plan shows the effect");
    }
  }

  private String problem(Memory memory) {
    String largest = parts(memory).stream().sorted(Comparator.comparingLong(Part::bytes).reversed())
        .map(part -> part.name() + " " + gib(part.bytes()) + (part.option().isEmpty() ? "" : " (" + part.option() + ")"))
        .collect(Collectors.joining(", "));
    return "this run needs " + gib(totalBytes(memory)) + " of " + memory.title() + ", and " + gib(availableBytes(memory)) + " are available: " + largest;
  }

  private static String gib(long bytes) {
    return String.format(Locale.ROOT, "%.2f GiB", bytes / (double) (1L << 30));
  }
}
