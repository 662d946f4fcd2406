package io.github.grpo4j.train;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.data.EncodedPrompts.Prompt;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.reward.EpisodeScorer;
import io.github.grpo4j.reward.RewardFailures;
import io.github.grpo4j.rollout.Generator;
import io.github.grpo4j.rollout.RolloutRequest;
import io.github.grpo4j.rollout.RolloutStats;
import io.github.grpo4j.train.TrainingListener.Phase;
import io.github.grpo4j.update.StepEvidence;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/**
 * One step of GRPO, from problems to new weights: rollout, reward, advantage, update. It reads and writes no file, and knows
 * nothing of the steps before it but their number.
 */
final class TrainingStep {
  private final RunConfig config;
  private final Generator generator;
  private final EpisodeScorer scorer;
  private final Function<List<Episode>, StepEvidence> evidenceOf;
  private final CreditAssignment credit;
  private final RolloutUpdate update;
  private final RunControl control;
  private final TrainingListener listener;

  /**
   * @param episodes of the step, group by group
   * @param credit what they were trained with
   * @param updated what the updates were
   * @param rollout speed of the rollout
   * @param rolloutSeconds from the beginning to the advantages
   * @param updateSeconds of all optimizer steps
   */
  record Result(
      List<ScoredEpisode> episodes, CreditAssignment.AssignedCredit credit, RolloutUpdate.UpdateResult updated, RolloutStats rollout,
      double rolloutSeconds, double updateSeconds) {
    /** Prompt and completion tokens; a prompt counts for each of its completions. */
    long tokens() {
      return episodes.stream().mapToLong(scored -> scored.episode().totalTokens()).sum();
    }

    /** Share of right answers among all completions of each problem, those that are not trained on included; NaN without any. */
    double[] accuracies() {
      int groups = episodes.stream().mapToInt(scored -> scored.group() + 1).max().orElse(0);
      double[] right = new double[groups];
      int[] completions = new int[groups];
      for (ScoredEpisode scored : episodes) {
        right[scored.group()] += scored.reward().correct() ? 1 : 0;
        completions[scored.group()]++;
      }
      Arrays.setAll(right, group -> right[group] / completions[group]);
      return right;
    }
  }

  TrainingStep(RunConfig config, Generator generator, EpisodeScorer scorer, Function<List<Episode>, StepEvidence> evidenceOf,
      CreditAssignment credit, RolloutUpdate update, RunControl control, TrainingListener listener) {
    this.config = config;
    this.generator = generator;
    this.scorer = scorer;
    this.evidenceOf = evidenceOf;
    this.credit = credit;
    this.update = update;
    this.control = control;
    this.listener = listener;
  }

  /**
   * @param step number of the step, from 1: the key of its random numbers
   * @param prompts problems that it works on
   * @param optimizerSteps that the run has done before
   */
  Result run(int step, List<Prompt> prompts, long optimizerSteps) {
    long start = System.nanoTime();
    listener.phase(step, Phase.ROLLOUT);
    Generator.Rollout rollout = rollout(step, prompts);
    List<ScoredEpisode> scored = scorer.score(
        prompts.stream().map(Prompt::problem).toList(), rollout.episodes(), config.rollout().answersPerQuestion());
    RewardFailures.describe(scored).ifPresent(what -> listener.warning("step " + step + ": " + what));
    listener.episodes(step, scored);
    StepEvidence evidence = evidenceOf.apply(rollout.episodes());
    CreditAssignment.AssignedCredit assigned = credit.assign(step, scored, evidence);
    double rolloutSeconds = secondsSince(start);

    listener.phase(step, Phase.UPDATE);
    long updateStart = System.nanoTime();
    RolloutUpdate.UpdateResult updated = update.run(rollout.episodes(), assigned.credits(), evidence, optimizerSteps);
    return new Result(scored, assigned, updated, rollout.stats(), rolloutSeconds, secondsSince(updateStart));
  }

  private Generator.Rollout rollout(int step, List<Prompt> prompts) {
    List<RolloutRequest> requests = prompts.stream()
        .map(prompt -> new RolloutRequest(prompt.problem().index(), prompt.ids(), config.rollout().answersPerQuestion())).toList();
    return control.interruptibly(() -> generator.generate(requests, config.rollout().sampling(), config.training().seed(), step,
        listener.rolloutListener(step, Phase.ROLLOUT)));
  }

  static double secondsSince(long start) {
    return (System.nanoTime() - start) * 1e-9;
  }
}
