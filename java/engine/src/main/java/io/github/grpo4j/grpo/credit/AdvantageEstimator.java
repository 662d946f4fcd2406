package io.github.grpo4j.grpo.credit;

import io.github.grpo4j.options.Check;
import java.util.function.ToDoubleFunction;

/**
 * How much better an episode is than what the policy usually does. All estimators leave out episodes without reward, give
 * exactly 0 where all rewards are equal, and refuse groups of one.
 *
 * <p>R is the total reward of an episode, g its group.
 */
public interface AdvantageEstimator {
  Advantages estimate(GroupedRewards rewards);

  /** {@code A = (R - mean_g) / (std_g + eps)}: GRPO (Shao et al., "DeepSeekMath", arXiv 2402.03300). */
  record GroupNormalized(StandardDeviation std, double eps) implements AdvantageEstimator {
    public GroupNormalized {
      Check.positive("eps", eps);
    }

    public GroupNormalized() {
      this(StandardDeviation.POPULATION, 1e-4);
    }

    @Override
    public Advantages estimate(GroupedRewards rewards) {
      return centred(rewards, std, spread -> 1 / (spread.std() + eps));
    }
  }

  /**
   * {@code A = (R - mean_g) / (std + eps)} with the standard deviation of all rewards of the step: Lite PPO (arXiv
   * 2508.08221). Groups with little spread are not blown up.
   */
  record BatchNormalized(StandardDeviation std, double eps) implements AdvantageEstimator {
    public BatchNormalized {
      Check.positive("eps", eps);
    }

    public BatchNormalized() {
      this(StandardDeviation.POPULATION, 1e-4);
    }

    @Override
    public Advantages estimate(GroupedRewards rewards) {
      Spread all = Spread.of(rewards.totals(), std);
      double[] values = centred(rewards, std, spread -> 1 / (all.std() + eps)).values();
      return new Advantages(values, all.isZero() ? 1 : 0);
    }
  }

  /** {@code A = R - mean_g}: Dr. GRPO (arXiv 2503.20783); dividing by the spread favours questions that are very easy or hard. */
  record MeanCentred() implements AdvantageEstimator {
    @Override
    public Advantages estimate(GroupedRewards rewards) {
      return centred(rewards, StandardDeviation.SAMPLE, spread -> 1);
    }
  }

  /**
   * GDPO (arXiv 2601.05242): each reward function is normalised inside its group, the weighted sum is normalised over the
   * step. A format reward cannot drown the answer this way.
   */
  record NormalizedThenSummed(StandardDeviation std, double eps) implements AdvantageEstimator {
    public NormalizedThenSummed {
      Check.positive("eps", eps);
    }

    public NormalizedThenSummed() {
      this(StandardDeviation.POPULATION, 1e-4);
    }

    @Override
    public Advantages estimate(GroupedRewards rewards) {
      rewards.requireGroups();
      double[][] normalized = new double[rewards.episodes()][rewards.weights().length];
      for (int f = 0; f < rewards.weights().length; f++) {
        double[] column = rewards.column(f);
        for (int g = 0; g < rewards.groups(); g++) {
          Spread spread = Spread.of(column, rewards.group(), g, std);
          for (int i = 0; i < column.length; i++) {
            if (rewards.group()[i] == g) {
              normalized[i][f] = (column[i] - spread.mean()) / (spread.std() + eps);
            }
          }
        }
      }
      double[] sums = new GroupedRewards(rewards.group(), normalized, rewards.weights()).totals();
      Spread all = Spread.of(sums, std);
      double[] values = new double[sums.length];
      for (int i = 0; i < sums.length; i++) {
        values[i] = Double.isNaN(sums[i]) ? 0 : (sums[i] - all.mean()) / (all.std() + eps);
      }
      return new Advantages(values, all.isZero() ? 1 : 0);
    }
  }

  private static Advantages centred(GroupedRewards rewards, StandardDeviation std, ToDoubleFunction<Spread> scale) {
    rewards.requireGroups();
    double[] totals = rewards.totals();
    double[] values = new double[totals.length];
    int zero = 0;
    for (int g = 0; g < rewards.groups(); g++) {
      Spread spread = Spread.of(totals, rewards.group(), g, std);
      for (int i = 0; i < totals.length; i++) {
        if (rewards.group()[i] == g) {
          values[i] = Double.isNaN(totals[i]) ? 0 : (totals[i] - spread.mean()) * scale.applyAsDouble(spread);
          zero += spread.isZero() ? 1 : 0;
        }
      }
    }
    return new Advantages(values, totals.length == 0 ? 0 : (double) zero / totals.length);
  }
}
