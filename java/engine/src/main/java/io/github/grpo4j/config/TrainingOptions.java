package io.github.grpo4j.config;

import io.github.grpo4j.optim.LossScaler;
import io.github.grpo4j.options.Check;
import io.github.grpo4j.track.TrackerFactory;
import java.util.List;

/**
 * Length of the run, evaluation and checkpoints.
 *
 * @param seed key of all random numbers of the run
 * @param epochs passes over the training problems
 * @param maxSteps rollouts after which the run ends even if epochs are left; 0: no limit
 * @param microBatchTokens tokens that go through the model at once; changes memory and speed, not the result
 * @param recompute LAYER keeps one activation per layer and computes the others again in the backward pass
 * @param evalInterval steps between evaluations, the first before any update; 0: never
 * @param evalSamples sampled completions per problem in an evaluation, beside the greedy one; 0: greedy only
 * @param checkpointInterval steps between checkpoints; 0: only at the end
 * @param keepCheckpoints so many of the latest are kept
 * @param runDir directory of everything the run writes
 * @param resume {@code auto}: from the latest checkpoint of the run directory if there is one; {@code never}; or a checkpoint's path
 * @param lossScale factor on the loss of a model in f16: {@code dynamic}, {@code off} or a number; means nothing for other types
 * @param trackers where metrics and samples go beside the run's own record
 * @param shuffleRewards control experiment: rewards are dealt out at random, so the model must not get better
 */
public record TrainingOptions(
    long seed,
    int epochs,
    int maxSteps,
    int microBatchTokens,
    Recompute recompute,
    int evalInterval,
    int evalSamples,
    int checkpointInterval,
    int keepCheckpoints,
    String runDir,
    String resume,
    String lossScale,
    List<TrackerFactory> trackers,
    boolean shuffleRewards) {
  /** What the backward pass computes again instead of keeping. */
  public enum Recompute {
    NONE,
    LAYER
  }

  public static final String RESUME_AUTO = "auto";
  public static final String RESUME_NEVER = "never";

  static final TrainingOptions DEFAULTS = new TrainingOptions(
      0, 1, 0, 4096, Recompute.NONE, 10, 1, 100, 2, "runs/default", RESUME_AUTO, LossScaler.DYNAMIC, List.of(), false);

  public TrainingOptions {
    trackers = List.copyOf(trackers);
    Check.atLeast(1, "training.epochs", epochs);
    Check.atLeast(0, "training.max_steps", maxSteps);
    Check.atLeast(1, "training.micro_batch_tokens", microBatchTokens);
    Check.atLeast(0, "training.eval_interval", evalInterval);
    Check.atLeast(0, "training.eval_samples", evalSamples);
    Check.atLeast(0, "training.checkpoint_interval", checkpointInterval);
    Check.atLeast(1, "training.keep_checkpoints", keepCheckpoints);
    Check.present("training.run_dir", runDir);
    Check.present("training.resume", resume);
    Check.that(LossScaler.isOption(lossScale), "training.loss_scale", lossScale, "dynamic, off or a number above 0");
  }
}
