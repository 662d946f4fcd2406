package io.github.grpo4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.run.RunDirectory;
import io.github.grpo4j.track.Outcome;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;

/** One object a line, told apart by {@code event}. */
final class JsonTrainingView implements TrainingView {
  private final PrintStream out;

  JsonTrainingView(PrintStream out) {
    this.out = out;
  }

  @Override
  public void started(int firstStep, int totalSteps, String message) {
    print(event("started").put("first_step", firstStep).put("total_steps", totalSteps).put("message", message));
  }

  @Override
  public void step(int step, Map<String, Number> metrics) {
    ObjectNode object = event("step").put("step", step);
    metrics.forEach((name, value) -> object.set(name, JsonLines.JSON.valueToTree(value)));
    print(object);
  }

  @Override
  public void traces(int step, Map<String, ScoredEpisode> traces) {
    traces.forEach((bucket, trace) -> print(event("eval_trace").put("step", step).put("bucket", bucket)
        .put("problem", trace.problem().index()).put("question", trace.problem().question()).put("gold", trace.problem().answer()).put("response", trace.episode().text())
        .put("reward", trace.reward().total()).put("correct", trace.reward().correct())));
  }

  @Override
  public void checkpoint(int step, Path folder) {
    print(event("checkpoint").put("step", step).put("path", folder.toString()));
  }

  @Override
  public void warning(String message) {
    print(event("warning").put("message", message));
  }

  @Override
  public void finished(Outcome outcome, RunDirectory directory) {
    print(event(outcome.name().toLowerCase(Locale.ROOT)).put("run_dir", directory.path().toString()));
  }

  private static ObjectNode event(String name) {
    return JsonLines.JSON.createObjectNode().put("event", name);
  }

  private void print(ObjectNode object) {
    JsonLines.print(out, object);
  }
}
