package io.github.grpo4j.reward;

import io.github.grpo4j.episode.ScoredEpisode;
import java.util.List;
import java.util.function.ObjDoubleConsumer;
import java.util.function.Predicate;

/**
 * What is said of the answers of a rollout whatever their reward. A reward can rise while its model gets worse: format that rises with falling
 * lenient accuracy, or strict accuracy that rises where lenient accuracy does not, tell.
 *
 * @param accuracy share whose answer is right and stands where it was asked for: strict accuracy
 * @param lenientAccuracy share whose last number, wherever it stands, is the right answer
 * @param format share that keeps the whole of the asked format
 * @param truncated share that the length limit cut off
 */
public record AnswerRates(double accuracy, double lenientAccuracy, double format, double truncated) {
  public static AnswerRates of(List<ScoredEpisode> episodes) {
    return new AnswerRates(
        share(episodes, scored -> scored.reward().correct()),
        share(episodes, scored -> scored.reward().lenientlyCorrect()),
        share(episodes, scored -> scored.reward().formatted()),
        share(episodes, scored -> !scored.episode().finished()));
  }

  /** Puts {@code accuracy}, {@code lenient_accuracy}, {@code format_rate} and {@code truncated_rate}. */
  public void putInto(ObjDoubleConsumer<String> metrics) {
    metrics.accept("accuracy", accuracy);
    metrics.accept("lenient_accuracy", lenientAccuracy);
    metrics.accept("format_rate", format);
    metrics.accept("truncated_rate", truncated);
  }

  private static double share(List<ScoredEpisode> episodes, Predicate<ScoredEpisode> which) {
    return episodes.stream().mapToInt(scored -> which.test(scored) ? 1 : 0).average().orElse(0);
  }
}
