package io.github.grpo4j.train;

import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.eval.RunEvaluation;
import io.github.grpo4j.reward.RewardFailures;
import io.github.grpo4j.run.CheckpointContents;
import io.github.grpo4j.run.RunDirectory;
import io.github.grpo4j.run.RunState;
import io.github.grpo4j.track.Metrics;
import io.github.grpo4j.track.Outcome;
import io.github.grpo4j.track.RunInfo;
import io.github.grpo4j.track.Sample;
import io.github.grpo4j.track.Trackers;
import io.github.grpo4j.train.TrainingListener.Phase;
import java.util.Map;
import java.util.concurrent.CancellationException;

/**
 * Step after step with what stands around a step: an evaluation where one is due, a row of metrics, a checkpoint every so often,
 * an end in good order. What a step is, GRPO or supervised, is {@link Step}'s business.
 */
final class RunLoop {
  /** One step of a run. */
  interface Step {
    /**
     * Changes the weights.
     *
     * @param before state of the run after the step before
     * @return the state after this one, its metrics in {@link RunState#unreported}
     */
    RunState run(RunState before);
  }

  private final RunConfig config;
  private final int totalSteps;
  private final Step step;
  private final RunEvaluation evaluation;
  private final RunControl control;
  private final TrainingListener listener;
  private final RunDirectory directory;
  private final CheckpointContents contents;
  private final Trackers trackers;
  private RunState state;

  RunLoop(RunConfig config, int totalSteps, Step step, RunEvaluation evaluation, RunControl control, TrainingListener listener,
      RunDirectory directory, CheckpointContents contents, Trackers trackers, RunState state) {
    this.config = config;
    this.totalSteps = totalSteps;
    this.step = step;
    this.evaluation = evaluation;
    this.control = control;
    this.listener = listener;
    this.directory = directory;
    this.contents = contents;
    this.trackers = trackers;
    this.state = state;
  }

  int totalSteps() {
    return totalSteps;
  }

  /** The first step to come. */
  int nextStep() {
    return state.step() + 1;
  }

  /**
   * Runs until step {@code lastStep} is done, at most to the end; a later call goes on from there.
   *
   * @param startedFrom one sentence on where the run starts from
   */
  Outcome run(int lastStep, String startedFrom) {
    listener.started(nextStep(), totalSteps, startedFrom);
    trackers.start(new RunInfo(directory.path(), state.kind().command(), ConfigLoader.toYaml(config), startedFrom, nextStep(), totalSteps));
    trackers.ended(Outcome.FAILED);
    Outcome outcome = run(lastStep);
    trackers.ended(outcome);
    return outcome;
  }

  private Outcome run(int lastStep) {
    try {
      if (state.unreported() != null) {
        report(Metrics.of(state.unreported()));
      }
      int end = Math.min(totalSteps, lastStep);
      while (state.step() < end && !control.stopRequested()) {
        state = step.run(state);
        report(Metrics.of(state.unreported()));
        int every = config.training().checkpointInterval();
        if (every > 0 && state.step() % every == 0 && state.step() < totalSteps) {
          checkpoint();
        }
      }
    } catch (CancellationException e) {
      // Only rollouts can be cancelled, and they change nothing: the state is that of the last whole step.
      listener.warning(state.unreported() != null
          ? "stopped during the evaluation of step " + state.step() + ", which will be done again"
          : "stopped during step " + nextStep() + ", which will be done again");
    }
    boolean complete = state.step() >= totalSteps;
    checkpoint();
    if (complete) {
      directory.saveFinalModel(contents.model());
    }
    return complete ? Outcome.COMPLETED : Outcome.STOPPED;
  }

  /** Ends the present step with its evaluation, where one is due, and its row of metrics. */
  private void report(Metrics metrics) {
    int done = state.step();
    if (evaluation.isDue(done, totalSteps)) {
      evaluate(done, metrics);
    }
    if (!metrics.asMap().isEmpty()) {
      trackers.metrics(done, metrics.asMap());
      listener.step(done, metrics.asMap());
    }
    state = state.reported();
  }

  private void evaluate(int step, Metrics metrics) {
    listener.phase(step, Phase.EVALUATION);
    long start = System.nanoTime();
    RunEvaluation.Measurement measured =
        control.interruptibly(() -> evaluation.measure(() -> listener.rolloutListener(step, Phase.EVALUATION)));
    measured.putInto(metrics);
    RewardFailures.describe(measured.completions()).ifPresent(what -> listener.warning("evaluation of step " + step + ": " + what));
    directory.writeEvaluation(step, measured.greedy().completions(), measured.sampledCompletions());
    Map<String, ScoredEpisode> traces = measured.byLength().traces(config.training().seed(), step);
    trackers.traces(traces.entrySet().stream()
        .map(trace -> Sample.of(step, Sample.EVAL_TRACE + trace.getKey(), trace.getValue())).toList());
    listener.traces(step, traces);
    metrics.put(Metrics.TIME + "eval", (System.nanoTime() - start) * 1e-9);
  }

  private void checkpoint() {
    listener.phase(state.step(), Phase.CHECKPOINT);
    state = state.withTrackerOffsets(trackers.offsets());
    directory.checkpoint(state, config, contents).ifPresent(folder -> listener.checkpoint(state.step(), folder));
  }
}
