package io.github.grpo4j.eval;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.data.Dataset;
import io.github.grpo4j.memory.MemoryPlan;
import io.github.grpo4j.model.ModelDirectory;
import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.rollout.SamplingParams;
import io.github.grpo4j.run.ModelLocation;
import io.github.grpo4j.session.Resources;
import io.github.grpo4j.session.RunAssembly;
import io.github.grpo4j.session.RunInputs;
import io.github.grpo4j.session.TrainingData;
import io.github.grpo4j.track.Sample;
import io.github.grpo4j.track.jsonl.SamplesFile;
import java.nio.file.Path;
import java.util.concurrent.CancellationException;

/**
 * A model and held-out problems, open to be measured without any training.
 *
 * <pre>{@code
 * try (Evaluation evaluation = Evaluation.open(config, 1)) {
 *   System.out.println(evaluation.run(SamplingParams.greedy(300), RolloutListener.NONE).accuracy());
 * }
 * }</pre>
 *
 * <p>Model, problems, prompt and reward are those of the configuration; random numbers are those of a training run's own
 * evaluations, so the same model gets the same figures here and there.
 */
public final class Evaluation implements AutoCloseable {
  private final Resources resources = new Resources();
  private final RunInputs inputs;
  private final Evaluator evaluator;
  private final int completionsPerProblem;

  private Evaluation(RunConfig config, int completionsPerProblem) {
    this.completionsPerProblem = completionsPerProblem;
    ModelDirectory.checkFiles(ModelLocation.find(config.model().path()).model());
    Dataset problems = TrainingData.eval(config.data());
    int completions = Math.multiplyExact(problems.size(), completionsPerProblem);
    MemoryPlan.evaluation(config, completions).requireFits();
    try {
      this.inputs = resources.own(RunInputs.open(config, problems));
      this.evaluator = Evaluator.of(resources.own(new RunAssembly(inputs, inputs.scorer(), 0, completions)));
    } catch (RuntimeException e) {
      resources.close();
      throw e;
    }
  }

  /** @param completionsPerProblem that {@link #run} will sample: 1 for greedy decoding, which would give the same one again */
  public static Evaluation open(RunConfig config, int completionsPerProblem) {
    return new Evaluation(config, completionsPerProblem);
  }

  /** The problems that are asked. */
  public Dataset problems() {
    return inputs.evalData();
  }

  /** One line on what it runs on. */
  public String device() {
    return inputs.session().device();
  }

  /**
   * Answers and scores every problem. Interrupting the thread ends it with {@link CancellationException}.
   *
   * @param params its limit on new tokens is at most the configuration's {@code rollout.max_new_tokens}
   */
  public Evaluator.Result run(SamplingParams params, RolloutListener listener) {
    return evaluator.evaluate(inputs.evalProblems(), params, completionsPerProblem, listener);
  }

  /**
   * The same, and writes every completion to a file when it ends, one JSON object a line, as a training run's own evaluations do: who stops
   * a long evaluation keeps what was sampled.
   */
  public Evaluator.Result run(SamplingParams params, RolloutListener listener, Path completions) {
    String split = params.temperature() == 0 ? Sample.EVAL_GREEDY : Sample.EVAL_SAMPLED;
    try (SamplesFile file = SamplesFile.create(completions)) {
      return evaluator.evaluate(inputs.evalProblems(), params, completionsPerProblem, listener, scored -> file.append(Sample.of(0, split, scored)));
    }
  }

  @Override
  public void close() {
    resources.close();
  }
}
