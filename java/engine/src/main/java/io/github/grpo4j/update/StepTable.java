package io.github.grpo4j.update;

import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.grpo.loss.LossPipeline;
import io.github.grpo4j.grpo.loss.StepTotals;
import io.github.grpo4j.grpo.loss.TokenTable;
import io.github.grpo4j.update.GradientPass.Sample;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The columns of one optimizer step. Episodes that go through the model come first, end to end, so that a micro-batch is a range of the
 * table; those without any gradient follow, with the scores that they were sampled with; masked ones are not here.
 *
 * @param samples what goes through the model: the first sequences of the table, one for one
 * @param episode which episode each sequence is
 * @param order sequences in the order of their episodes, in which metrics are summed
 */
record StepTable(TokenTable table, List<Sample> samples, int[] episode, int[] order) {
  static StepTable of(Experience experience, LossPipeline loss, int maxTokens) {
    int[] episode = sequences(experience, loss);
    int run = 0;
    while (run < episode.length && isRun(experience, loss, episode[run])) {
      run++;
    }
    int[] starts = new int[episode.length + 1];
    int[] buckets = new int[episode.length];
    for (int b = 0; b < episode.length; b++) {
      starts[b + 1] = starts[b] + experience.episodes().get(episode[b]).tokenIds().length;
      buckets[b] = experience.lengthBuckets()[episode[b]];
    }
    int tokens = starts[episode.length];
    float[] old = new float[tokens];
    float[] ref = experience.refLogprobs() == null ? null : new float[tokens];
    float[] advantage = new float[tokens];
    for (int b = 0; b < episode.length; b++) {
      int i = episode[b];
      Arrays.fill(advantage, starts[b], starts[b + 1], (float) experience.advantages()[i]);
      put(experience.old().get(i).logprob(), old, starts, b);
      if (ref != null) {
        put(experience.refLogprobs().get(i), ref, starts, b);
      }
    }
    boolean[] usable = TokenTable.usable(tokens, old, ref);
    float[] weight = StepTotals.of(starts, usable, buckets, maxTokens).weights(loss.aggregation(), starts, usable, buckets);
    TokenTable table = new TokenTable(starts, old, ref, advantage, weight, loss.needsExactKl());
    List<Sample> samples = new ArrayList<>(run);
    for (int b = 0; b < episode.length; b++) {
      if (b < run) {
        samples.add(sampleOf(experience.episodes().get(episode[b])));
      } else {
        // Exact in the first update after a rollout, the last known scores in later ones.
        put(experience.old().get(episode[b]).logprob(), table.newLogprob, starts, b);
        put(experience.old().get(episode[b]).entropy(), table.entropy, starts, b);
      }
    }
    return new StepTable(table, samples, episode, byEpisode(episode));
  }

  /** Episodes that are not masked: first those that go through the model. */
  private static int[] sequences(Experience experience, LossPipeline loss) {
    int[] episode = new int[experience.size()];
    int count = 0;
    for (boolean run : new boolean[] {true, false}) {
      for (int i = 0; i < experience.size(); i++) {
        if (!experience.masked()[i] && isRun(experience, loss, i) == run) {
          episode[count++] = i;
        }
      }
    }
    return Arrays.copyOf(episode, count);
  }

  private static boolean isRun(Experience experience, LossPipeline loss, int episode) {
    return experience.advantages()[episode] != 0 || loss.ignoresAdvantage();
  }

  private static int[] byEpisode(int[] episode) {
    return IntStream.range(0, episode.length).boxed().sorted(Comparator.comparingInt(b -> episode[b]))
        .mapToInt(b -> b).toArray();
  }

  private static void put(float[] values, float[] column, int[] starts, int sequence) {
    int tokens = starts[sequence + 1] - starts[sequence];
    if (values.length != tokens) {
      throw new IllegalArgumentException(values.length + " log-probs for a completion of " + tokens + " tokens");
    }
    System.arraycopy(values, 0, column, starts[sequence], values.length);
  }

  /** An episode as the gradient pass sees it. */
  static Sample sampleOf(Episode episode) {
    int[] ids = Arrays.copyOf(episode.promptIds(), episode.totalTokens());
    System.arraycopy(episode.tokenIds(), 0, ids, episode.promptIds().length, episode.tokenIds().length);
    return new Sample(ids, episode.promptIds().length);
  }

  /** Prompt and completion tokens of all samples. */
  long sampleTokens() {
    return samples.stream().mapToLong(sample -> sample.ids().length).sum();
  }

  /** True if there is any token to learn from. */
  boolean hasTokens() {
    for (float weight : table.weight) {
      if (weight != 0) {
        return true;
      }
    }
    return false;
  }
}
