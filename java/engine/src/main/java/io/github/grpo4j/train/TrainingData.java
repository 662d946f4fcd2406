package io.github.grpo4j.train;

import io.github.grpo4j.data.Dataset;
import io.github.grpo4j.data.DatasetReader;
import io.github.grpo4j.data.Problem;
import io.github.grpo4j.data.SyntheticArithmetic;
import io.github.grpo4j.text.Tokenizer;
import io.github.grpo4j.train.config.DataOptions;
import io.github.grpo4j.train.config.RunConfig;
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

  /** How a problem becomes the token ids that answers continue. */
  public static Function<Problem, int[]> prompts(RunConfig config, Path modelDirectory, Tokenizer tokenizer) {
    PromptRenderer renderer = PromptRenderer.of(config.prompt(), modelDirectory);
    return problem -> tokenizer.encode(renderer.render(problem.question()));
  }

  private static Dataset limited(Dataset dataset, int limit) {
    return limit > 0 ? dataset.first(limit) : dataset;
  }
}
