package io.github.grpo4j.cli;

import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.train.RunDirectory;
import io.github.grpo4j.train.ScoredEpisode;
import io.github.grpo4j.train.Trainer;
import io.github.grpo4j.train.config.RunConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The run as a person follows it: a table with one row a step, a progress line below it, accuracies as they are measured, and
 * now and then an answer of the model. The loss comes last: on-policy it is near 0 whatever the model learns.
 */
final class ConsoleTrainingView implements TrainingView {
  private static final String HEADER = "  step   reward   right  format  signal  length  cut off  entropy  grad norm     lr   rollout    train   step s     loss";
  private static final int ROWS_PER_HEADER = 20;

  private final RunConfig config;
  private final Terminal terminal;
  private int total;
  private int rows;
  private long startNanos;
  private int firstStep;
  private String sample = "";

  ConsoleTrainingView(RunConfig config, Terminal terminal) {
    this.config = config;
    this.terminal = terminal;
  }

  @Override
  public void started(int firstStep, int totalSteps, String message) {
    this.total = totalSteps;
    this.firstStep = firstStep;
    this.startNanos = System.nanoTime();
    terminal.line(terminal.bold("grpo4j") + "  " + config.model().path() + ", " + config.rollout().questionsPerStep() + " questions x "
        + config.rollout().answersPerQuestion() + " answers a step, " + totalSteps + " steps, into " + config.training().runDir());
    terminal.line(terminal.dim(message));
  }

  @Override
  public RolloutListener rolloutListener(int step, Phase phase) {
    long start = System.nanoTime();
    return new RolloutListener() {
      @Override
      public void progress(int finished, int all, long newTokens) {
        if (!terminal.redrawDue()) {
          return;
        }
        long now = System.nanoTime();
        double rate = newTokens / Math.max(1e-9, (now - start) * 1e-9);
        draw(step, String.format(Locale.ROOT, "%s %d/%d answers, %,.0f tokens/s", phase == Phase.EVALUATION ? "evaluating" : "rolling out",
            finished, all, rate));
      }
    };
  }

  @Override
  public void phase(int step, Phase phase) {
    switch (phase) {
      case UPDATE -> draw(step, "updating");
      case CHECKPOINT -> draw(step, "writing a checkpoint");
      default -> { }
    }
  }

  private void draw(int step, String what) {
    int done = Math.max(0, step - 1);
    terminal.progress(String.format(Locale.ROOT, "%s %d/%d  %s  %s", Terminal.bar(done, total), done, total, what, remaining(done)));
  }

  private String remaining(int done) {
    int since = done - firstStep + 1;
    if (since < 1) {
      return "";
    }
    double perStep = (System.nanoTime() - startNanos) * 1e-9 / since;
    long seconds = Math.round(perStep * (total - done));
    return String.format(Locale.ROOT, "%d:%02d left", seconds / 60, seconds % 60);
  }

  @Override
  public void episodes(int step, List<ScoredEpisode> episodes) {
    ScoredEpisode shown = episodes.get(0);
    sample = terminal.dim("        e.g. ") + oneLine(shown.problem().question()) + terminal.dim(" → ") + oneLine(shown.episode().text())
        + (shown.reward().correct() ? terminal.green("  right") : terminal.yellow("  wrong, it is " + oneLine(shown.problem().answer())));
  }

  private static String oneLine(String text) {
    String line = text.strip().replace("\n", " ⏎ ");
    return line.length() <= 160 ? line : line.substring(0, 70) + " … " + line.substring(line.length() - 80);
  }

  @Override
  public void step(int step, Map<String, Number> metrics) {
    if (metrics.containsKey("reward")) {
      row(step, metrics);
    }
    Number greedy = metrics.get("eval/accuracy_greedy");
    if (greedy == null) {
      return;
    }
    Number sampled = metrics.get("eval/accuracy_sampled");
    if (!sample.isEmpty()) {
      terminal.line(sample);
    }
    terminal.line(terminal.bold(String.format(Locale.ROOT, "%6d  held-out accuracy: greedy %s%s", step, percent(greedy),
        sampled == null ? "" : ", sampled " + percent(sampled)))
        + terminal.dim(String.format(Locale.ROOT, "  (%.1f s)", metrics.get("time/eval").doubleValue())));
  }

  private void row(int step, Map<String, Number> m) {
    if (rows++ % ROWS_PER_HEADER == 0) {
      terminal.line(terminal.dim(HEADER));
    }
    terminal.line(String.format(Locale.ROOT, "%6d  %7.3f  %6s  %6.3f  %6s  %6.1f  %7s  %7.3f  %9.3f  %.0e  %6.0f/s  %6.0f/s  %7.2f  %7.4f", step,
        value(m, "reward"), percent(m.get("rewards/answer/mean")), value(m, "rewards/format/mean"), percent(1 - value(m, "frac_reward_zero_std")),
        value(m, "completions/mean_length"), percent(m.get("completions/clipped_ratio")), value(m, "entropy"), value(m, "grad_norm"),
        value(m, "learning_rate"), value(m, "rollout/tokens_per_s"), value(m, "train/tokens_per_s"), value(m, "step_time"), value(m, "loss")));
  }

  private static double value(Map<String, Number> metrics, String name) {
    Number value = metrics.get(name);
    return value == null ? Double.NaN : value.doubleValue();
  }

  private static String percent(Number share) {
    return share == null ? "-" : String.format(Locale.ROOT, "%.1f%%", 100 * share.doubleValue());
  }

  @Override
  public void checkpoint(int step, Path folder) {
    terminal.line(terminal.dim("        checkpoint " + folder));
  }

  @Override
  public void warning(String message) {
    terminal.line(terminal.yellow("        " + message));
  }

  @Override
  public void finished(Trainer.Outcome outcome, RunDirectory directory) {
    double seconds = (System.nanoTime() - startNanos) * 1e-9;
    if (outcome == Trainer.Outcome.COMPLETED) {
      terminal.line(String.format(Locale.ROOT, "Done in %.0f s. The trained model is %s; metrics, samples and answers are beside it.", seconds,
          terminal.bold(directory.model().toString())));
    } else {
      terminal.line("Stopped in good order. The same command goes on from the last checkpoint in " + directory.path() + ".");
    }
  }
}
