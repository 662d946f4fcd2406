package io.github.grpo4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.bench.StepBench;
import io.github.grpo4j.memory.MachineMemory;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.ModelWeights;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code grpo4j bench step}: speed and memory of a GRPO step. */
@Command(name = "step", mixinStandardHelpOptions = true,
    description = "Speed and peak memory of a whole GRPO step: rollout, forward, backward, clipping, AdamW. Nothing is skipped.")
final class BenchStepCommand implements Callable<Integer> {
  @Mixin private BenchOptions options;

  @Option(names = "--prompts", defaultValue = "2", paramLabel = "N", description = "Prompts of a step (2).")
  private int prompts;

  @Option(names = "--group", defaultValue = "4", paramLabel = "N", description = "Answers to each prompt, an even number (4).")
  private int group;

  @Option(names = "--prompt-tokens", defaultValue = "64", paramLabel = "N", description = "Tokens of every prompt (64).")
  private int promptTokens;

  @Option(names = "--new-tokens", defaultValue = "32", paramLabel = "N", description = "Tokens of every answer (32).")
  private int newTokens;

  @Option(names = "--micro-batch-tokens", defaultValue = "4096", paramLabel = "N", description = "Tokens that go through the model at once (4096).")
  private int microBatchTokens;

  @Option(names = "--recompute", defaultValue = "none", description = "Activations that backward computes again: ${COMPLETION-CANDIDATES} (none).")
  private Recompute recompute;

  @Option(names = "--repeat", defaultValue = "3", paramLabel = "N", description = "Repeats after a warm-up; medians are reported (3).")
  private int repeats;

  /** As training.recompute of a configuration. */
  private enum Recompute {
    none(CausalLm.Recompute.NONE),
    layer(CausalLm.Recompute.LAYER);

    private final CausalLm.Recompute mode;

    Recompute(CausalLm.Recompute mode) {
      this.mode = mode;
    }
  }

  @Override
  public Integer call() {
    StepBench.Shape shape = new StepBench.Shape(prompts, group, promptTokens, newTokens, microBatchTokens, recompute.mode, repeats);
    try (Backend backend = options.openBackend();
        BenchReport report = options.report();
        ModelWeights weights = options.weights(backend);
        CausalLm model = new CausalLm(backend, weights, shape.sequenceTokens())) {
      report.heading(options.title(backend));
      StepBench.Result result = StepBench.measure(model, shape);
      boolean known = result.peakResidentBytes() != MachineMemory.UNKNOWN;
      report.result(toJson(result),
          String.format(Locale.ROOT, "%d prompts x %d answers, %d + %d tokens; median of %d", prompts, group, promptTokens, newTokens, repeats),
          String.format(Locale.ROOT, "  rollout %,12.1f new tokens/s, its prefill included", result.rolloutTokensPerSecond()),
          String.format(Locale.ROOT, "  train   %,12.1f prompt and new tokens/s", result.trainTokensPerSecond()),
          String.format(Locale.ROOT, "  step    %,12.3f s", result.stepSeconds()),
          String.format(Locale.ROOT, "  tensors %,12.1f MiB", mib(result.tensorBytes())),
          known ? String.format(Locale.ROOT, "  process %,12.1f MiB at most", mib(result.peakResidentBytes()))
              : "  process      unknown on this system");
    }
    return ExitCodes.OK;
  }

  private static double mib(long bytes) {
    return bytes / (double) (1 << 20);
  }

  private ObjectNode toJson(StepBench.Result result) {
    ObjectNode object = JsonLines.JSON.createObjectNode().put("prompts", prompts).put("group", group)
        .put("prompt_tokens", promptTokens).put("new_tokens", newTokens)
        .put("rollout_tokens_per_s", JsonLines.measured(result.rolloutTokensPerSecond()))
        .put("train_tokens_per_s", JsonLines.measured(result.trainTokensPerSecond()))
        .put("step_s", JsonLines.measured(result.stepSeconds())).put("tensor_mib", JsonLines.measured(mib(result.tensorBytes())));
    return result.peakResidentBytes() == MachineMemory.UNKNOWN ? object.putNull("peak_rss_mib")
        : object.put("peak_rss_mib", JsonLines.measured(mib(result.peakResidentBytes())));
  }
}
