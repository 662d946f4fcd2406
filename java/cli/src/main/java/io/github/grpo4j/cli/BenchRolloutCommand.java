package io.github.grpo4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.bench.RolloutBench;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.ModelWeights;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code grpo4j bench rollout}: speed of generation. */
@Command(name = "rollout", mixinStandardHelpOptions = true,
    description = "Speed of generation for some numbers of independent sequences, sampling included; no answer ends early.")
final class BenchRolloutCommand implements Callable<Integer> {
  @Mixin private BenchOptions options;

  @Option(names = "--prompt-tokens", defaultValue = "128", paramLabel = "N", description = "Tokens of every prompt (128).")
  private int promptTokens;

  @Option(names = "--new-tokens", defaultValue = "64", paramLabel = "N", description = "Tokens of every answer (64).")
  private int newTokens;

  @Option(names = "--answers", defaultValue = "1,8,32", split = ",", paramLabel = "N", description = "Sequences decoded together (1,8,32).")
  private List<Integer> answers;

  @Option(names = "--repeat", defaultValue = "3", paramLabel = "N", description = "Repeats after a warm-up; the median is reported (3).")
  private int repeats;

  @Override
  public Integer call() {
    RolloutBench.Shape shape = new RolloutBench.Shape(promptTokens, newTokens, repeats);
    try (Backend backend = options.openBackend();
        BenchReport report = options.report();
        ModelWeights weights = options.weights(backend);
        CausalLm model = new CausalLm(backend, weights, shape.sequenceTokens())) {
      report.heading(options.title(backend));
      report.heading(String.format(Locale.ROOT, "prompts of %d tokens, %d new ones; tokens/s, median of %d", promptTokens, newTokens, repeats));
      report.note(String.format("%8s %12s %12s %12s", "answers", "prompt", "decode", "ms a step"));
      for (int count : answers) {
        RolloutBench.Result result = RolloutBench.measure(model, count, shape);
        double stepMillis = 1e3 * count / result.decodeTokensPerSecond();
        report.result(toJson(result, stepMillis), String.format(Locale.ROOT, "%8d %,12.1f %,12.1f %,12.3f", count,
            result.promptTokensPerSecond(), result.decodeTokensPerSecond(), stepMillis));
      }
    }
    return ExitCodes.OK;
  }

  private ObjectNode toJson(RolloutBench.Result result, double stepMillis) {
    return JsonLines.JSON.createObjectNode().put("answers", result.completions()).put("prompt_tokens", promptTokens).put("new_tokens", newTokens)
        .put("prompt_tokens_per_s", JsonLines.measured(result.promptTokensPerSecond()))
        .put("decode_tokens_per_s", JsonLines.measured(result.decodeTokensPerSecond())).put("decode_step_ms", JsonLines.measured(stepMillis));
  }
}
