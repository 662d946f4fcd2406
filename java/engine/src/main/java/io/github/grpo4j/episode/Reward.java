package io.github.grpo4j.episode;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What one completion is worth.
 *
 * @param total the number that the update maximises
 * @param components its parts before weighting, by name, in a fixed order; each becomes a metric {@code rewards/NAME/mean}
 * @param extractedAnswer the answer that was read out of the text, or null if none was found
 */
public record Reward(double total, Map<String, Double> components, String extractedAnswer) {
  /** 1 if the final answer is right, else 0: the accuracy of evaluations and the curriculum. */
  public static final String ANSWER = "answer";
  /** How well the response keeps the asked form. */
  public static final String FORMAT = "format";

  public Reward {
    components = Collections.unmodifiableMap(new LinkedHashMap<>(components));
  }

  /** A reward of an answer and a format part. */
  public static Reward of(double total, boolean correct, double format, String extractedAnswer) {
    Map<String, Double> components = new LinkedHashMap<>();
    components.put(ANSWER, correct ? 1.0 : 0.0);
    components.put(FORMAT, format);
    return new Reward(total, components, extractedAnswer);
  }

  /** True if the final answer is right, whatever the form. */
  public boolean correct() {
    return components.getOrDefault(ANSWER, 0.0) == 1.0;
  }
}
