package io.github.grpo4j.cli;

import io.github.grpo4j.rollout.RolloutListener;
import java.util.Locale;
import java.util.concurrent.CancellationException;

/** The progress line of an evaluation that a person waits for, and may stop. */
final class EvaluationProgress {
  private volatile boolean stopRequested;

  /** From any thread: the evaluation ends with {@link CancellationException} after the present step. */
  void requestStop() {
    stopRequested = true;
  }

  RolloutListener on(Terminal terminal) {
    long start = System.nanoTime();
    return new RolloutListener() {
      @Override
      public void progress(int finished, int total, long newTokens) {
        if (stopRequested && finished < total) {
          throw new CancellationException(String.format(Locale.ROOT, "stopped after %,d of %,d answers", finished, total));
        }
        if (terminal.redrawDue() || finished == total) {
          terminal.progress(line(finished, total, newTokens, (System.nanoTime() - start) * 1e-9));
        }
      }
    };
  }

  private static String line(int finished, int total, long newTokens, double seconds) {
    String left = finished == 0 ? "" : ", " + Terminal.duration(seconds * (total - finished) / finished) + " left";
    return String.format(Locale.ROOT, "%s %,d/%,d answers, %,.0f tokens/s%s", Terminal.bar(finished, total), finished, total,
        newTokens / Math.max(1e-9, seconds), left);
  }
}
