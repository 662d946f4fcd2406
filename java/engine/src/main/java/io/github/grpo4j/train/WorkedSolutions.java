package io.github.grpo4j.train;

import io.github.grpo4j.config.DataOptions;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.data.DataException;
import io.github.grpo4j.data.Dataset;
import io.github.grpo4j.data.EncodedPrompts;
import io.github.grpo4j.data.Problem;
import io.github.grpo4j.data.SyntheticArithmetic;
import io.github.grpo4j.session.ModelSession;
import io.github.grpo4j.session.RunInputs;
import io.github.grpo4j.session.TrainingData;
import io.github.grpo4j.update.GradientPass.Sample;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What supervised warm-up imitates.
 *
 * @param sha256 of the problems and their solutions
 * @param samples prompt, solution and end of sequence; the first target is the solution's first token
 */
record WorkedSolutions(String sha256, List<Sample> samples) {
  static WorkedSolutions read(RunInputs inputs) {
    ModelSession session = inputs.session();
    int eos = session.tokenizer().special().eos().orElseThrow(() -> new DataException("the model in " + session.directory()
        + " names no end-of-sequence token (eos_token of tokenizer_config.json), so solutions could not be ended"));
    Dataset solutions = dataset(inputs.config());
    EncodedPrompts prompted = inputs.encode(solutions);
    List<Sample> samples = new ArrayList<>(prompted.size());
    for (int i = 0; i < prompted.size(); i++) {
      Problem problem = prompted.get(i).problem();
      if (problem.solution() == null) {
        throw new DataException("problem " + problem.index() + " of " + solutions.name()
            + " has no solution to imitate; sft needs a question and a worked solution");
      }
      int[] prompt = prompted.get(i).ids();
      int[] solution = session.tokenizer().encode(problem.solution());
      int[] ids = Arrays.copyOf(prompt, prompt.length + solution.length + 1);
      System.arraycopy(solution, 0, ids, prompt.length, solution.length);
      ids[ids.length - 1] = eos;
      samples.add(new Sample(ids, prompt.length));
    }
    return new WorkedSolutions(solutions.sha256(), samples);
  }

  /** Demonstrations of the synthetic task, as many as the steps read, or the training split of a data set. */
  private static Dataset dataset(RunConfig config) {
    DataOptions data = config.data();
    if (data.kind() != DataOptions.Kind.SYNTHETIC) {
      return TrainingData.train(config);
    }
    int count = data.trainLimit() > 0 ? data.trainLimit() : Math.multiplyExact(config.sft().steps(), config.sft().batchSize());
    return SyntheticArithmetic.demonstrations(config.training().seed(), count, config.sft().slipShare());
  }

  /** Tokens of the longest one with its prompt. */
  int longest() {
    return samples.stream().mapToInt(sample -> sample.ids().length).max().orElseThrow();
  }
}
