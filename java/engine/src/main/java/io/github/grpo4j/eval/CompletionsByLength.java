package io.github.grpo4j.eval;

import io.github.grpo4j.data.SplitMix64;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.grpo.credit.grouping.LengthBuckets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The completions of an evaluation by the length of the completion: short, medium and long ones by {@link LengthBuckets}' rule over the
 * lengths of the evaluation. Buckets without a completion are left out.
 */
public final class CompletionsByLength {
  /** Sets these random numbers apart from those of other purposes. */
  private static final long TRACES = 5;

  private final Map<String, List<ScoredEpisode>> completions = new LinkedHashMap<>();

  CompletionsByLength(List<ScoredEpisode> all) {
    int[] buckets = LengthBuckets.of(all.stream().mapToInt(scored -> scored.episode().tokenIds().length).toArray());
    for (int bucket = 0; bucket < LengthBuckets.COUNT; bucket++) {
      for (int i = 0; i < buckets.length; i++) {
        if (buckets[i] == bucket) {
          completions.computeIfAbsent(LengthBuckets.name(bucket), name -> new ArrayList<>()).add(all.get(i));
        }
      }
    }
  }

  /** Share of right answers in each bucket. */
  Map<String, Double> accuracy() {
    Map<String, Double> accuracy = new LinkedHashMap<>();
    completions.forEach((bucket, members) ->
        accuracy.put(bucket, members.stream().mapToDouble(scored -> scored.reward().correct() ? 1 : 0).average().orElseThrow()));
    return accuracy;
  }

  /** One completion of each bucket, drawn by seed and step: the same in a run that was resumed. */
  public Map<String, ScoredEpisode> traces(long seed, int step) {
    SplitMix64 random = SplitMix64.keyed(TRACES, seed, step);
    Map<String, ScoredEpisode> traces = new LinkedHashMap<>();
    completions.forEach((bucket, members) -> traces.put(bucket, random.pick(members)));
    return traces;
  }
}
