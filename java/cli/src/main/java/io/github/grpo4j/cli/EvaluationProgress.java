package io.github.grpo4j.cli;

import io.github.grpo4j.rollout.RolloutListener;
import java.util.Locale;

/** The progress line of a rollout that a person waits for. */
final class EvaluationProgress implements RolloutListener {
  private final Terminal terminal;
  private final long start = System.nanoTime();

  EvaluationProgress(Terminal terminal) {
    this.terminal = terminal;
  }

  @Override
  public void progress(int finished, int total, long newTokens) {
    if (!terminal.redrawDue() && finished < total) {
      return;
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    String left = finished == 0 ? "" : ", " + Terminal.duration(seconds * (total - finished) / finished) + " left";
    terminal.progress(String.format(Locale.ROOT, "%s %,d/%,d answers, %,.0f tokens/s%s", Terminal.bar(finished, total), finished, total,
        newTokens / Math.max(1e-9, seconds), left));
  }
}
