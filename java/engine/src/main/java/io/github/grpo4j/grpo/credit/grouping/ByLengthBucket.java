package io.github.grpo4j.grpo.credit.grouping;

import io.github.grpo4j.grpo.credit.Grouping;
import io.github.grpo4j.grpo.credit.RewardTable;
import io.github.grpo4j.grpo.credit.StatisticsGroups;
import io.github.grpo4j.options.Check;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Each completion is compared with those of its question that are about as long: short, medium or long ({@link LengthBuckets}), so that
 * length itself earns nothing. Length-grouped normalisation of a public study of GRPO on GSM8K.
 *
 * <p>A bucket of few completions has no statistics worth the name, and a completion alone would always get 0. So the completions of a
 * bucket with fewer than {@code minBucket} are compared with all of their question; the other buckets stay as they are. Advantages of a
 * question where that happens need not add up to 0.
 *
 * @param minBucket least completions of a bucket, those without reward not counted; 1: nothing falls back
 * @param scope which lengths say what is short and long
 */
public record ByLengthBucket(int minBucket, Scope scope) implements Grouping {
  /** Whose lengths mean and deviation are taken of. */
  public enum Scope {
    /** All completions of the step. */
    STEP,
    /** The completions of the question. */
    QUESTION
  }

  public ByLengthBucket {
    Check.atLeast(1, "min_bucket", minBucket);
  }

  public ByLengthBucket() {
    this(4, Scope.STEP);
  }

  @Override
  public StatisticsGroups groups(RewardTable rewards, Map<String, Double> metrics) {
    boolean[] unscored = rewards.unscored();
    int[] buckets = buckets(rewards, unscored);
    int[] bucketOf = new int[buckets.length];
    Arrays.setAll(bucketOf, i -> rewards.group()[i] * LengthBuckets.COUNT + buckets[i]);
    StatisticsGroups byQuestion = StatisticsGroups.by(rewards.group());
    StatisticsGroups byBucket = StatisticsGroups.by(bucketOf);
    int questions = byQuestion.members().length;
    int[] groupOf = new int[buckets.length];
    for (int i = 0; i < groupOf.length; i++) {
      boolean large = Arrays.stream(byBucket.members()[bucketOf[i]]).filter(j -> !unscored[j]).count() >= minBucket;
      groupOf[i] = large ? questions + bucketOf[i] : rewards.group()[i];
    }
    report(buckets, groupOf, questions, unscored, metrics);
    List<int[]> members = new ArrayList<>(List.of(byQuestion.members()));
    members.addAll(List.of(byBucket.members()));
    return new StatisticsGroups(groupOf, members.toArray(int[][]::new));
  }

  /** The bucket of each completion; those without reward have left. */
  private int[] buckets(RewardTable rewards, boolean[] unscored) {
    if (scope == Scope.STEP) {
      return LengthBuckets.of(rewards.tokens(), unscored);
    }
    int[] buckets = new int[unscored.length];
    for (int[] members : StatisticsGroups.by(rewards.group()).members()) {
      int[] lengths = Arrays.stream(members).map(i -> rewards.tokens()[i]).toArray();
      boolean[] left = new boolean[members.length];
      for (int k = 0; k < members.length; k++) {
        left[k] = unscored[members[k]];
      }
      int[] ofQuestion = LengthBuckets.of(lengths, left);
      for (int k = 0; k < members.length; k++) {
        buckets[members[k]] = ofQuestion[k];
      }
    }
    return buckets;
  }

  private static void report(int[] buckets, int[] groupOf, int questions, boolean[] unscored, Map<String, Double> metrics) {
    double[] shares = new double[LengthBuckets.COUNT];
    double fallback = 0;
    int count = 0;
    for (int i = 0; i < buckets.length; i++) {
      if (!unscored[i]) {
        count++;
        shares[buckets[i]]++;
        fallback += groupOf[i] < questions ? 1 : 0;
      }
    }
    for (int bucket = 0; bucket < shares.length; bucket++) {
      metrics.put("length_bucket/" + LengthBuckets.name(bucket), shares[bucket] / Math.max(1, count));
    }
    metrics.put("length_bucket/fallback", fallback / Math.max(1, count));
  }
}
