package io.github.grpo4j.session;

import io.github.grpo4j.config.DataOptions;
import io.github.grpo4j.config.PromptOptions;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.data.Dataset;
import io.github.grpo4j.data.DatasetReader;
import io.github.grpo4j.data.EncodedPrompts;
import io.github.grpo4j.data.SyntheticArithmetic;
import io.github.grpo4j.text.ChatTemplate;
import io.github.grpo4j.text.PromptStyle;
import io.github.grpo4j.text.PromptTemplate;
import io.github.grpo4j.text.Tokenizer;
import java.nio.file.Path;
import java.util.function.Function;

/** The problems that a configuration names: one part to train on, one to evaluate on. */
public final class TrainingData {
  private TrainingData() {}

  /** The training problems. Synthetic ones depend on the run's seed. */
  public static Dataset train(RunConfig config) {
    DataOptions data = config.data();
    if (data.kind() == DataOptions.Kind.SYNTHETIC) {
      int count = data.trainLimit() > 0 ? data.trainLimit() : DataOptions.SYNTHETIC_PROBLEMS;
      return SyntheticArithmetic.train(config.training().seed(), count);
    }
    return limited(DatasetReader.read(Path.of(data.path()), data.configName(), data.trainSplit()), data.trainLimit());
  }

  /** The held-out problems, the same ones for every seed. */
  public static Dataset eval(DataOptions data) {
    Dataset all = data.kind() == DataOptions.Kind.SYNTHETIC
        ? SyntheticArithmetic.test()
        : DatasetReader.read(Path.of(data.path()), data.configName(), data.evalSplit());
    return limited(all, data.evalLimit());
  }

  /** How a problem becomes the token ids that completions continue. */
  public static Function<String, int[]> prompts(RunConfig config, Path modelDirectory, Tokenizer tokenizer) {
    PromptOptions options = config.prompt();
    PromptStyle style = options.chat() ? PromptStyle.CHAT : PromptStyle.PLAIN;
    PromptTemplate prompt = new PromptTemplate(style, options.system(), options.user(), options.responsePrefix());
    ChatTemplate chat = options.chat() ? ChatTemplate.load(modelDirectory) : null;
    return question -> tokenizer.encode(prompt.render(question, chat));
  }

  /** Problems with their prompts, which are at most {@code data.max_prompt_tokens} long. */
  public static EncodedPrompts encode(Dataset dataset, Function<String, int[]> prompts, DataOptions data) {
    return EncodedPrompts.of(dataset, prompts, data.maxPromptTokens(), data.overlongPrompts());
  }

  private static Dataset limited(Dataset dataset, int limit) {
    return limit > 0 ? dataset.first(limit) : dataset;
  }
}
