package io.github.grpo4j.cli;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.run.RunDirectory;
import io.github.grpo4j.track.Metrics;
import io.github.grpo4j.track.Outcome;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The run as a person follows it: a table with one row a step, a progress line below it, accuracies as they are measured, and
 * with each of them a short, a medium and a long answer of the model. The loss is left to the metrics file: on-policy it is near 0 whatever the model
 * learns.
 */
final class ConsoleTrainingView implements TrainingView {
  private static final int ROWS_PER_HEADER = 20;
  private static final String INDENT = " ".repeat(8);
  /** How far a step is when its rollout is done. */
  private static final double ROLLOUT_SHARE = 0.5;

  private final RunConfig config;
  private final Terminal terminal;
  private final StepTable table;
  private final AccuracyHistory accuracy = new AccuracyHistory();
  private RunClock clock = new RunClock();
  private int total;
  private int rows;
  private Map<String, ScoredEpisode> traces = Map.of();

  ConsoleTrainingView(RunConfig config, Terminal terminal) {
    this.config = config;
    this.terminal = terminal;
    this.table = new StepTable(terminal.width());
  }

  @Override
  public void started(int firstStep, int totalSteps, String message) {
    total = totalSteps;
    clock = new RunClock();
    terminal.line(terminal.bold("grpo4j train") + "  " + config.model().path() + ", " + config.rollout().questionsPerStep() + " questions × "
        + config.rollout().answersPerQuestion() + " answers a step, " + totalSteps + " steps, into " + config.training().runDir());
    terminal.line(terminal.dim(message));
  }

  @Override
  public RolloutListener rolloutListener(int step, Phase phase) {
    long start = System.nanoTime();
    boolean evaluation = phase == Phase.EVALUATION;
    return new RolloutListener() {
      @Override
      public void progress(int finished, int all, long newTokens) {
        if (terminal.redrawDue()) {
          double rate = newTokens / Math.max(1e-9, (System.nanoTime() - start) * 1e-9);
          draw(evaluation ? step : step - 1 + ROLLOUT_SHARE * finished / all,
              String.format(Locale.ROOT, "%s %d/%d, %,.0f tokens/s", evaluation ? "evaluation" : "rollout", finished, all, rate));
        }
      }
    };
  }

  @Override
  public void phase(int step, Phase phase) {
    switch (phase) {
      case ROLLOUT -> clock.stepBegins(step);
      case UPDATE -> draw(step - 1 + ROLLOUT_SHARE, "update");
      case EVALUATION -> draw(step, "evaluation");
      case CHECKPOINT -> draw(step, "writing a checkpoint");
    }
  }

  private void draw(double done, String what) {
    String line = Stream.of(String.format(Locale.ROOT, "%s %d/%d", Terminal.bar(done, total), (int) done, total), what, clock.split(),
        clock.left(done, total)).filter(part -> !part.isEmpty()).reduce((a, b) -> a + "   " + b).orElse("");
    terminal.progress(line);
  }

  @Override
  public void traces(int step, Map<String, ScoredEpisode> traces) {
    this.traces = traces;
  }

  /** {@code short   question → answer  right}. */
  private String line(String bucket, ScoredEpisode shown) {
    String verdict = shown.reward().correct() ? "right" : "wrong, it is " + oneLine(shown.problem().answer());
    String begin = INDENT + String.format(Locale.ROOT, "%-8s", bucket);
    int room = Math.max(40, terminal.width() - begin.length() - verdict.length() - 6);
    String answer = withoutEnd(shown.episode().text());
    String question = shorten(oneLine(shown.problem().question()), Math.max(room / 2, room - oneLine(answer).length() - 3));
    return terminal.dim(begin + question + " → ") + shorten(oneLine(answer), Math.max(room / 3, room - question.length() - 3)) + "  "
        + (shown.reward().correct() ? terminal.green(verdict) : terminal.yellow(verdict));
  }

  /** The token that ends an answer is no news to a reader. */
  private static String withoutEnd(String text) {
    return text.replaceFirst("<\\|[^|<>]*\\|>$", "");
  }

  private static String oneLine(String text) {
    return text.strip().replaceAll("\\s*\\R\\s*", " ⏎ ");
  }

  /** Beginning and end of a text: the end is where the answer stands. */
  private static String shorten(String text, int most) {
    return text.length() <= most ? text : text.substring(0, most / 2 - 2) + " … " + text.substring(text.length() - (most - most / 2 - 1));
  }

  @Override
  public void step(int step, Map<String, Number> metrics) {
    clock.add(metrics);
    if (metrics.containsKey("reward")) {
      if (rows++ % ROWS_PER_HEADER == 0) {
        terminal.line(terminal.dim(table.header()));
      }
      terminal.line(table.row(step, metrics));
    }
    if (metrics.containsKey(Metrics.EVAL_ACCURACY_GREEDY)) {
      accuracy.add(metrics);
      terminal.line(terminal.bold(String.format(Locale.ROOT, "%6d  held-out accuracy  %s", step, accuracy.latest()))
          + terminal.dim(String.format(Locale.ROOT, "   %.1f s", metrics.get(Metrics.TIME + "eval").doubleValue())));
      traces.forEach((bucket, trace) -> terminal.line(line(bucket, trace)));
    }
  }

  @Override
  public void checkpoint(int step, Path folder) {
    terminal.line(terminal.dim(INDENT + "checkpoint " + folder));
  }

  @Override
  public void warning(String message) {
    terminal.line(terminal.yellow(INDENT + message));
  }

  @Override
  public void finished(Outcome outcome, RunDirectory directory) {
    String time = Terminal.duration(clock.elapsed()) + (clock.split().isEmpty() ? "" : " (" + clock.split() + ")");
    if (outcome == Outcome.STOPPED) {
      terminal.line("Stopped in good order after " + time + ". The same command goes on from the last checkpoint in " + directory.path() + ".");
      return;
    }
    terminal.line(terminal.bold("Done") + " in " + time + (accuracy.isEmpty() ? "." : ". Held-out accuracy " + accuracy.change() + "."));
    terminal.line("The trained model is " + terminal.bold(directory.model().toString()) + "; metrics, samples and answers are beside it.");
  }
}
