package io.github.grpo4j.grpo.loss;

import io.github.grpo4j.grpo.loss.aggregation.BucketMean;
import io.github.grpo4j.grpo.loss.aggregation.Constant;
import io.github.grpo4j.grpo.loss.aggregation.SequenceMean;
import io.github.grpo4j.grpo.loss.aggregation.SequenceSum;
import io.github.grpo4j.grpo.loss.aggregation.TokenMean;
import io.github.grpo4j.grpo.loss.kl.ExactKl;
import io.github.grpo4j.grpo.loss.kl.K1;
import io.github.grpo4j.grpo.loss.kl.K2;
import io.github.grpo4j.grpo.loss.kl.K3;
import io.github.grpo4j.grpo.loss.surrogate.DynamicClip;
import io.github.grpo4j.grpo.loss.surrogate.PpoClip;
import io.github.grpo4j.grpo.loss.surrogate.Unclipped;
import io.github.grpo4j.grpo.loss.term.EntropyTerm;
import io.github.grpo4j.grpo.loss.term.KlTerm;
import io.github.grpo4j.grpo.loss.term.PolicyTerm;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Small tables and the pipelines that tests go through. */
final class LossTables {
  static final List<Surrogate> SURROGATES = List.of(new Unclipped(), new Unclipped(ImportanceLevel.SEQUENCE), new PpoClip(0.2, 0.28),
      new PpoClip(0.2, 0.28, 1.5, 1.4, ImportanceLevel.TOKEN), new PpoClip(0.02, 0.03, 0, 0, ImportanceLevel.SEQUENCE), new DynamicClip(),
      new DynamicClip(0.05, 0.08, 0, 0, 0));
  static final List<Aggregation> AGGREGATIONS =
      List.of(new TokenMean(), new SequenceMean(), new SequenceSum(), new Constant(), new Constant(7), new BucketMean());
  static final List<KlPenalty> PENALTIES = penalties();

  private LossTables() {}

  private static List<KlPenalty> penalties() {
    List<KlPenalty> penalties = new ArrayList<>();
    for (boolean timesRatio : new boolean[] {false, true}) {
      penalties.add(new K1(0.3, timesRatio, KlPenalty.Where.LOSS));
      penalties.add(new K2(0.3, timesRatio, KlPenalty.Where.LOSS));
      penalties.add(new K3(0.3, timesRatio, KlPenalty.Where.LOSS));
    }
    penalties.add(new ExactKl(0.3));
    return penalties;
  }

  /** @param penalty null: no KL */
  static LossPipeline pipeline(Surrogate surrogate, KlPenalty penalty, double entropyCoef, Aggregation aggregation) {
    List<LossTerm> terms = new ArrayList<>(List.of(new PolicyTerm(surrogate)));
    if (penalty != null) {
      terms.add(new KlTerm(penalty, surrogate.level()));
    }
    if (entropyCoef != 0) {
      terms.add(new EntropyTerm(entropyCoef));
    }
    return new LossPipeline(terms, aggregation);
  }

  /** Every surrogate with every penalty, and with none; entropy bonus in all. */
  static List<LossPipeline> pipelines() {
    List<LossPipeline> pipelines = new ArrayList<>();
    for (Surrogate surrogate : SURROGATES) {
      pipelines.add(pipeline(surrogate, null, 0.01, new SequenceMean()));
      PENALTIES.forEach(penalty -> pipelines.add(pipeline(surrogate, penalty, 0.01, new TokenMean())));
    }
    return pipelines;
  }

  /** Lengths of the sequences of {@link #table}: some short, most medium, one long. */
  static final int[] LENGTHS = {5, 1, 12, 4, 5, 30};

  static int[] starts(int... lengths) {
    int[] starts = new int[lengths.length + 1];
    for (int b = 0; b < lengths.length; b++) {
      starts[b + 1] = starts[b] + lengths[b];
    }
    return starts;
  }

  /** Six sequences, some tokens left out, ratios on both sides of every bound. */
  static TokenTable table(Aggregation aggregation) {
    int[] starts = starts(LENGTHS);
    int tokens = starts[LENGTHS.length];
    Random random = new Random(7);
    boolean[] mask = new boolean[tokens];
    float[] drawn = new float[tokens];
    float[] old = new float[tokens];
    float[] ref = new float[tokens];
    float[] advantage = new float[tokens];
    double[] ofSequence = {1.3, -0.7, -1.1, 0.4, 0, 0.9};
    for (int b = 0; b < LENGTHS.length; b++) {
      Arrays.fill(advantage, starts[b], starts[b + 1], (float) ofSequence[b]);
    }
    for (int t = 0; t < tokens; t++) {
      drawn[t] = -3 * random.nextFloat();
      old[t] = drawn[t] + 1.6f * (random.nextFloat() - 0.5f);
      ref[t] = drawn[t] + 1.6f * (random.nextFloat() - 0.5f);
      mask[t] = t != 8 && t != 17;
    }
    int[] buckets = {0, 0, 1, 0, 0, 2};
    StepTotals totals = StepTotals.of(starts, mask, buckets, 32);
    TokenTable table = new TokenTable(starts, old, ref, advantage, totals.weights(aggregation, starts, mask, buckets), true);
    for (int t = 0; t < tokens; t++) {
      table.newLogprob[t] = drawn[t];
      table.entropy[t] = random.nextFloat();
      table.exactKl[t] = random.nextFloat();
    }
    return table;
  }
}
