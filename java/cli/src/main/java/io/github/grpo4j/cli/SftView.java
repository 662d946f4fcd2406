package io.github.grpo4j.cli;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.run.RunDirectory;
import io.github.grpo4j.track.Metrics;
import io.github.grpo4j.track.Outcome;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;

/** A supervised run as a person follows it: a line every so many steps, and each evaluation. */
final class SftView implements TrainingView {
  private static final int LINES = 40;

  private final RunConfig config;
  private final Terminal terminal;
  private final AccuracyHistory accuracy = new AccuracyHistory();
  private RunClock clock = new RunClock();
  private int total;

  SftView(RunConfig config, Terminal terminal) {
    this.config = config;
    this.terminal = terminal;
  }

  @Override
  public void started(int firstStep, int totalSteps, String message) {
    total = totalSteps;
    clock = new RunClock();
    clock.stepBegins(firstStep);
    terminal.line(terminal.bold("grpo4j sft") + "  " + config.model().path() + ", " + totalSteps + " steps of " + config.sft().batchSize()
        + " solutions, into " + config.training().runDir());
    terminal.line(terminal.dim(message));
    terminal.line(terminal.dim("    step      loss   entropy   grad norm         lr   tokens/s"));
  }

  @Override
  public RolloutListener rolloutListener(int step, Phase phase) {
    return new EvaluationProgress().on(terminal);
  }

  @Override
  public void step(int step, Map<String, Number> metrics) {
    clock.add(metrics);
    if (step % Math.max(1, total / LINES) == 0 || step == total) {
      terminal.line(String.format(Locale.ROOT, "%8d  %8.4f  %8.3f  %10.3f  %9.1e  %,9.0f", step, metrics.get("loss").doubleValue(),
          metrics.get("entropy").doubleValue(), metrics.get(Metrics.GRAD_NORM).doubleValue(), metrics.get(Metrics.LEARNING_RATE).doubleValue(),
          metrics.get(Metrics.TRAIN_TOKENS_PER_S).doubleValue()));
    }
    if (metrics.containsKey(Metrics.EVAL_ACCURACY_GREEDY)) {
      accuracy.add(metrics);
      terminal.line(terminal.bold(String.format(Locale.ROOT, "%8d  held-out accuracy  %s", step, accuracy.latest())));
    }
    if (terminal.redrawDue()) {
      terminal.progress(String.format(Locale.ROOT, "%s %d/%d   loss %.4f   %,.0f tokens/s   %s", Terminal.bar(step, total), step, total,
          metrics.get("loss").doubleValue(), metrics.get(Metrics.TRAIN_TOKENS_PER_S).doubleValue(), clock.left(step, total)));
    }
  }

  @Override
  public void checkpoint(int step, Path folder) {
    terminal.line(terminal.dim("          checkpoint " + folder));
  }

  @Override
  public void warning(String message) {
    terminal.line(terminal.yellow("          " + message));
  }

  @Override
  public void finished(Outcome outcome, RunDirectory directory) {
    String time = Terminal.duration(clock.elapsed());
    terminal.line(outcome == Outcome.COMPLETED
        ? terminal.bold("Done") + " in " + time + ". The model is " + terminal.bold(directory.model().toString()) + "."
        : "Stopped in good order after " + time + ". The same command goes on from the last checkpoint in " + directory.path() + ".");
  }
}
