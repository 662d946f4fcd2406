package io.github.grpo4j.update;

import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.grpo.credit.grouping.LengthBuckets;
import io.github.grpo4j.model.LossHead.Scores;
import java.util.Arrays;
import java.util.List;

/**
 * Episodes with all that an update wants to know of them; what belongs to an episode is cut with it ({@link #part}).
 *
 * @param advantages one per episode {@code [N]}
 * @param masked episodes that are in no loss, no normaliser and no metric {@code [N]}
 * @param lengthBuckets of each completion among those of the whole rollout that are not masked {@code [N]}; see {@link LengthBuckets}
 * @param old log-probs and entropies of each episode's tokens under the policy that sampled them
 * @param refLogprobs of each episode's tokens under the reference model; null where no term needs them
 */
public record Experience(
    List<Episode> episodes, double[] advantages, boolean[] masked, int[] lengthBuckets, List<Scores> old, List<float[]> refLogprobs) {
  public Experience {
    int n = episodes.size();
    if (advantages.length != n || masked.length != n || lengthBuckets.length != n || old.size() != n
        || (refLogprobs != null && refLogprobs.size() != n)) {
      throw new IllegalArgumentException("columns of different lengths for " + n + " episodes");
    }
  }

  /** Nothing masked, old log-probs as the rollout stored them, no reference. */
  public static Experience of(List<Episode> episodes, double[] advantages) {
    boolean[] masked = new boolean[episodes.size()];
    return new Experience(episodes, advantages, masked, buckets(episodes, masked),
        episodes.stream().map(episode -> new Scores(episode.logprobs(), episode.entropies())).toList(), null);
  }

  public Experience withMasked(boolean[] out) {
    return new Experience(episodes, advantages, out, buckets(episodes, out), old, refLogprobs);
  }

  /** With old scores that were computed afterwards, in place of those of the rollout. */
  public Experience withOld(List<Scores> scores) {
    return new Experience(episodes, advantages, masked, lengthBuckets, scores, refLogprobs);
  }

  public Experience withReference(List<float[]> logprobs) {
    return new Experience(episodes, advantages, masked, lengthBuckets, old, logprobs);
  }

  public int size() {
    return episodes.size();
  }

  /** The episodes {@code [from, to)}. */
  public Experience part(int from, int to) {
    return new Experience(episodes.subList(from, to), Arrays.copyOfRange(advantages, from, to), Arrays.copyOfRange(masked, from, to),
        Arrays.copyOfRange(lengthBuckets, from, to), old.subList(from, to), refLogprobs == null ? null : refLogprobs.subList(from, to));
  }

  private static int[] buckets(List<Episode> episodes, boolean[] masked) {
    return LengthBuckets.of(episodes.stream().mapToInt(episode -> episode.tokenIds().length).toArray(), masked);
  }
}
