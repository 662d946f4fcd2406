package io.github.grpo4j.grpo.credit.shaping;

import io.github.grpo4j.grpo.credit.Evidence;
import io.github.grpo4j.grpo.credit.Moments;
import io.github.grpo4j.grpo.credit.RewardShaping;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StandardDeviation;
import io.github.grpo4j.options.Check;
import java.util.Arrays;
import java.util.Map;

/**
 * The last tokens before the length limit cost more and more: {@code min(0, -(L - (max - buffer)) / buffer)} is a part {@value #PART}
 * of the reward with weight {@code factor}, so a completion that fills the limit loses the factor. Soft overlong punishment of DAPO
 * (arXiv 2503.14476). Metric {@code rewards/overlong/mean}.
 *
 * @param buffer tokens before the limit that cost something, the limit at most; 0: a fifth of the limit, as in the paper
 * @param factor penalty at the limit
 */
public record SoftPenalty(int buffer, double factor) implements RewardShaping {
  /** Name of the part of the reward. */
  public static final String PART = "overlong";

  public SoftPenalty {
    Check.atLeast(0, "buffer", buffer);
    Check.positive("factor", factor);
  }

  public SoftPenalty() {
    this(0, 1);
  }

  @Override
  public RewardTable shape(RewardTable rewards, Evidence evidence, Map<String, Double> metrics) {
    int wanted = buffer == 0 ? rewards.maxTokens() / 5 : buffer;
    int costly = Math.max(1, Math.min(wanted, rewards.maxTokens()));
    int free = rewards.maxTokens() - costly;
    boolean[] unscored = rewards.unscored();
    double[] penalty = new double[unscored.length];
    Arrays.setAll(penalty, i -> unscored[i] ? Double.NaN : Math.max(-1, Math.min(0, (free - rewards.tokens()[i]) / (double) costly)));
    Moments moments = Moments.of(penalty, StandardDeviation.SAMPLE);
    if (moments.count() > 0) {
      metrics.put("rewards/" + PART + "/mean", moments.mean());
    }
    return rewards.withPart(PART, factor, penalty);
  }
}
