package io.github.grpo4j.reward;

import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.episode.Verdict;
import java.util.List;
import java.util.Map;

/**
 * Scores one completion. Implementations are pure and thread-safe: calls come from several threads, and the same completion always gets
 * the same reward, so a resumed run equals an uninterrupted one.
 *
 * <pre>{@code
 * RewardFunction brief = completion -> Reward.of(completion.tokens() <= 100 ? 1 : 0);
 * }</pre>
 *
 * <p>A function of several parts names them with their weights. Each part has metrics of its own, and estimators such as GDPO compare part
 * by part. A configuration names a function by its class ({@code reward.function: com.example.Steps}); the components of a record are its
 * keys.
 *
 * <pre>{@code
 * public record Steps(double formatWeight) implements RewardFunction {
 *   public Steps() {
 *     this(0.1);
 *   }
 *
 *   public List<Part> parts() {
 *     return List.of(new Part("steps", 1), new Part("format", formatWeight));
 *   }
 *
 *   public Reward score(Completion completion) {
 *     return reward(Map.of("steps", …, "format", …), null);
 *   }
 * }
 * }</pre>
 */
@FunctionalInterface
public interface RewardFunction {
  /** A part of a reward, and its factor in the function's total. */
  record Part(String name, double weight) {}

  /** {@code sum of weight * value} over the parts that have a finite value; NaN if none has, or if the sum is infinite. */
  static double total(List<Part> parts, Map<String, Double> values) {
    double total = 0;
    boolean scored = false;
    for (Part part : parts) {
      double value = values.getOrDefault(part.name(), Double.NaN);
      if (Double.isFinite(value)) {
        total += part.weight() * value;
        scored = true;
      }
    }
    return scored && Double.isFinite(total) ? total : Double.NaN;
  }

  /**
   * @return the parts that {@link #parts} lists, {@link Reward#NOT_APPLICABLE} where the function has nothing to say of this completion;
   *     a part that is left out does not apply, either
   */
  Reward score(Completion completion) throws Exception;

  /** What the function's total is made of, in the order in which it is added; empty: the total is all that it gives. */
  default List<Part> parts() {
    return List.of();
  }

  /**
   * Values of this function's parts as a reward.
   *
   * @param verdict on the answer; null if the function judges none
   */
  default Reward reward(Map<String, Double> values, Verdict verdict) {
    return new Reward(total(parts(), values), values, verdict, false, null);
  }

  /**
   * True if a call takes time linear in the text, whatever the text: then it needs no deadline. Functions that search with regular
   * expressions, run what a model wrote or ask a server leave this as it is.
   */
  default boolean isBounded() {
    return false;
  }
}
