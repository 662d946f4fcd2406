package io.github.grpo4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.data.DataException;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.session.ModelSession;
import io.github.grpo4j.text.Tokenizer;
import io.github.grpo4j.update.GradientPass;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code grpo4j score}: log-probs and entropies of given completions, by the training forward pass. */
@Command(
    name = "score",
    mixinStandardHelpOptions = true,
    description = "Log-probs and entropies of given completions, computed by the training forward pass.")
final class ScoreCommand implements Callable<Integer> {
  @Mixin private ModelOptions model;

  @Option(names = "--input", required = true, paramLabel = "FILE",
      description = "JSON lines with prompt_ids and completion_ids, or prompt and completion; - is standard input.")
  private Path input;

  @Option(names = "--temperature", defaultValue = "1", description = "Divide logits by this (default 1).")
  private float temperature;

  @Option(names = "--micro-batch-tokens", defaultValue = "2048", description = "Tokens in one forward pass (default 2048).")
  private int microBatchTokens;

  @Option(names = "--json", description = "One JSON object a line with all log-probs and entropies, instead of a summary.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    List<JsonLines.Line> lines = JsonLines.read(input);
    try (ModelSession session = model.open()) {
      List<GradientPass.Sample> samples = new ArrayList<>();
      for (JsonLines.Line line : lines) {
        samples.add(sample(line, session.tokenizerIfAny()));
      }
      int longest = samples.stream().mapToInt(sample -> sample.ids().length).max().orElseThrow();
      try (CausalLm lm = new CausalLm(session.backend(), session.weights(), longest);
          GradientPass pass = new GradientPass(lm, microBatchTokens, longest, CausalLm.Recompute.LAYER)) {
        List<Scores> scores = pass.score(samples, temperature);
        for (int i = 0; i < scores.size(); i++) {
          print(i, samples.get(i), scores.get(i));
        }
      }
    }
    return ExitCodes.OK;
  }

  private static GradientPass.Sample sample(JsonLines.Line line, Optional<Tokenizer> tokenizer) {
    int[] prompt = ids(line, "prompt", tokenizer);
    int[] completion = ids(line, "completion", tokenizer);
    if (prompt.length == 0 || completion.length == 0) {
      throw new DataException(line.where() + ": prompt and completion need at least one token each");
    }
    int[] all = Arrays.copyOf(prompt, prompt.length + completion.length);
    System.arraycopy(completion, 0, all, prompt.length, completion.length);
    return new GradientPass.Sample(all, prompt.length);
  }

  private static int[] ids(JsonLines.Line line, String key, Optional<Tokenizer> tokenizer) {
    if (line.object().has(key + "_ids")) {
      return line.ids(key + "_ids");
    }
    String text = line.text(key);
    return tokenizer.orElseThrow(() -> new DataException(line.where() + ": " + key
        + " is text, but the model has no tokenizer.json; give " + key + "_ids")).encode(text);
  }

  private void print(int index, GradientPass.Sample sample, Scores scores) {
    if (json) {
      ObjectNode object = JsonLines.JSON.createObjectNode();
      object.put("index", index);
      object.set("prompt_ids", JsonLines.array(Arrays.copyOf(sample.ids(), sample.firstTarget())));
      object.set("completion_ids", JsonLines.array(Arrays.copyOfRange(sample.ids(), sample.firstTarget(), sample.ids().length)));
      object.set("logprobs", JsonLines.array(scores.logprob()));
      object.set("entropies", JsonLines.array(scores.entropy()));
      JsonLines.print(System.out, object);
      return;
    }
    double sum = 0;
    double entropy = 0;
    for (int t = 0; t < scores.logprob().length; t++) {
      sum += scores.logprob()[t];
      entropy += scores.entropy()[t];
    }
    int tokens = scores.logprob().length;
    System.out.printf("%4d  %4d tokens  log-prob %10.3f  per token %8.4f  perplexity %8.3f  entropy %7.4f%n", index, tokens, sum,
        sum / tokens, Math.exp(-sum / tokens), entropy / tokens);
  }
}
