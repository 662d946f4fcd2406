package io.github.grpo4j.eval;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.data.Dataset;
import io.github.grpo4j.data.EncodedPrompts;
import io.github.grpo4j.memory.MemoryPlan;
import io.github.grpo4j.memory.RolloutLimits;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.ModelDirectory;
import io.github.grpo4j.reward.EpisodeScorer;
import io.github.grpo4j.rollout.Generator;
import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.rollout.SamplingParams;
import io.github.grpo4j.run.ModelLocation;
import io.github.grpo4j.session.ModelSession;
import io.github.grpo4j.session.Resources;
import io.github.grpo4j.session.TrainingData;
import io.github.grpo4j.track.Sample;
import io.github.grpo4j.track.SamplesFile;
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
  private final ModelSession session;
  private final Dataset data;
  private final EncodedPrompts problems;
  private final Evaluator evaluator;
  private final int answersPerProblem;

  private Evaluation(RunConfig config, int answersPerProblem) {
    this.answersPerProblem = answersPerProblem;
    try {
      this.data = TrainingData.eval(config.data());
      int answers = Math.multiplyExact(data.size(), answersPerProblem);
      ModelDirectory.checkFiles(ModelLocation.find(config.model().path()).model());
      MemoryPlan.evaluation(config, answers).requireFits();
      this.session = resources.own(ModelSession.open(config));
      this.problems = TrainingData.encode(data, TrainingData.prompts(config, session.directory(), session.tokenizer()), config.data());
      int longest = problems.longest() + config.rollout().maxNewTokens();
      CausalLm model = resources.own(new CausalLm(session.backend(), session.weights(), longest));
      Generator generator = resources.own(new Generator(model, RolloutLimits.of(config, model.config(), longest, answers),
          session.stopIds(), session.tokenizer().vocabUsed(), session.tokenizer()::decode));
      this.evaluator = new Evaluator(generator, session.scorer(config), config.training().seed());
    } catch (RuntimeException e) {
      resources.close();
      throw e;
    }
  }

  /** @param answersPerProblem that {@link #run} will draw: 1 for greedy decoding, which would give the same one again */
  public static Evaluation open(RunConfig config, int answersPerProblem) {
    return new Evaluation(config, answersPerProblem);
  }

  /** The problems that are asked. */
  public Dataset problems() {
    return data;
  }

  /** One line on what it runs on. */
  public String device() {
    return session.device();
  }

  /**
   * Answers and scores every problem. Interrupting the thread ends it with {@link CancellationException}.
   *
   * @param params its limit on new tokens is at most the configuration's {@code rollout.max_new_tokens}
   */
  public Evaluator.Result run(SamplingParams params, RolloutListener listener) {
    return evaluator.evaluate(problems, params, answersPerProblem, listener);
  }

  /**
   * The same, and writes every answer to a file when it ends, one JSON object a line, as a training run's own evaluations do: who stops
   * a long evaluation keeps what was answered.
   */
  public Evaluator.Result run(SamplingParams params, RolloutListener listener, Path answers) {
    String split = params.temperature() == 0 ? Sample.EVAL_GREEDY : Sample.EVAL_SAMPLED;
    try (SamplesFile file = SamplesFile.create(answers)) {
      return evaluator.evaluate(problems, params, answersPerProblem, listener, scored -> file.append(Sample.of(0, split, scored)));
    }
  }

  @Override
  public void close() {
    resources.close();
  }
}
