package io.github.grpo4j.cli;

import io.github.grpo4j.train.RunDirectory;
import io.github.grpo4j.train.Trainer;
import io.github.grpo4j.train.config.RunConfig;
import java.util.Locale;
import java.util.Map;

/** A supervised run as a person follows it: a line every so many steps, and each evaluation. */
final class SftView implements TrainingView {
  private static final int LINES = 40;

  private final RunConfig config;
  private final Terminal terminal;
  private int total;
  private long startNanos;

  SftView(RunConfig config, Terminal terminal) {
    this.config = config;
    this.terminal = terminal;
  }

  @Override
  public void started(int firstStep, int totalSteps, String message) {
    total = totalSteps;
    startNanos = System.nanoTime();
    terminal.line(terminal.bold("grpo4j sft") + "  " + config.model().path() + ", " + totalSteps + " steps of " + config.sft().batchSize()
        + " solutions, into " + config.training().runDir());
  }

  @Override
  public void step(int step, Map<String, Number> metrics) {
    String line = String.format(Locale.ROOT, "%6d/%d  loss %7.4f  entropy %6.3f  grad norm %7.3f  lr %.1e  %,7.0f tokens/s", step, total,
        metrics.get("loss").doubleValue(), metrics.get("entropy").doubleValue(), metrics.get("grad_norm").doubleValue(),
        metrics.get("learning_rate").doubleValue(), metrics.get("train/tokens_per_s").doubleValue());
    if (step % Math.max(1, total / LINES) == 0 || step == total) {
      terminal.line(line);
    } else {
      terminal.progress(line);
    }
    Number greedy = metrics.get("eval/accuracy_greedy");
    if (greedy != null) {
      Number sampled = metrics.get("eval/accuracy_sampled");
      terminal.line(terminal.bold(String.format(Locale.ROOT, "%6d  held-out accuracy: greedy %.1f%%%s", step, 100 * greedy.doubleValue(),
          sampled == null ? "" : String.format(Locale.ROOT, ", sampled %.1f%%", 100 * sampled.doubleValue()))));
    }
  }

  @Override
  public void finished(Trainer.Outcome outcome, RunDirectory directory) {
    terminal.line(String.format(Locale.ROOT, "%s after %.0f s. The model is %s.", outcome == Trainer.Outcome.COMPLETED ? "Done" : "Stopped",
        (System.nanoTime() - startNanos) * 1e-9, terminal.bold(directory.model().toString())));
  }
}
