package io.github.grpo4j.episode;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What one completion is worth.
 *
 * @param total the number that the update maximises; NaN: the completion has no reward, and leaves the statistics of its group
 * @param components its parts before weighting, by name, in a fixed order; each becomes a metric {@code rewards/NAME/mean}. A part that
 *     does not apply is left out
 * @param verdict on the answer; null where a function judges none
 * @param lenientlyCorrect whether the last number of the response, wherever it stands, is the right answer
 * @param failure why a function gave no reward, as a sentence; null where all did
 */
public record Reward(double total, Map<String, Double> components, Verdict verdict, boolean lenientlyCorrect, String failure) {
  /** Name of a part that is 1 if the final answer is right, else 0. */
  public static final String ANSWER = "answer";
  /** Name of a part that says how well the response keeps the asked format. */
  public static final String FORMAT = "format";
  /** Of a function that has nothing to say of a completion. */
  public static final Reward NOT_APPLICABLE = new Reward(Double.NaN, Map.of(), null, false, null);

  public Reward {
    components = Collections.unmodifiableMap(new LinkedHashMap<>(components));
  }

  /** A reward without parts. */
  public static Reward of(double total) {
    return new Reward(total, Map.of(), null, false, null);
  }

  /** A reward of an answer and a format part, which is 1 for the whole format. */
  public static Reward of(double total, boolean correct, double format, String extractedAnswer) {
    return new Reward(total, answerAndFormat(correct, format), new Verdict(correct, format == 1, extractedAnswer), false, null);
  }

  /** The parts of most rewards. */
  public static Map<String, Double> answerAndFormat(boolean correct, double format) {
    Map<String, Double> parts = new LinkedHashMap<>();
    parts.put(ANSWER, correct ? 1.0 : 0.0);
    parts.put(FORMAT, format);
    return parts;
  }

  /** True if the final answer is right, whatever the format. */
  public boolean correct() {
    return verdict != null && verdict.correct();
  }

  /** True if the completion keeps the whole of the asked format. */
  public boolean formatted() {
    return verdict != null && verdict.formatted();
  }

  /** The answer that was read out of the text, or null. */
  public String extractedAnswer() {
    return verdict == null ? null : verdict.extracted();
  }
}
