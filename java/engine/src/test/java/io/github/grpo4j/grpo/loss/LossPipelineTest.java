package io.github.grpo4j.grpo.loss;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.grpo.loss.aggregation.SequenceMean;
import io.github.grpo4j.grpo.loss.aggregation.TokenMean;
import io.github.grpo4j.grpo.loss.kl.K3;
import io.github.grpo4j.grpo.loss.surrogate.DynamicClip;
import io.github.grpo4j.grpo.loss.surrogate.PpoClip;
import io.github.grpo4j.grpo.loss.surrogate.Unclipped;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Derivatives, metrics and independence of every surrogate, penalty and aggregation. */
class LossPipelineTest {
  static List<LossPipeline> pipelines() {
    return LossTables.pipelines();
  }

  /** Every surrogate with every aggregation. */
  static List<LossPipeline> aggregated() {
    List<LossPipeline> pipelines = new ArrayList<>();
    for (Surrogate surrogate : LossTables.SURROGATES) {
      for (Aggregation aggregation : LossTables.AGGREGATIONS) {
        pipelines.add(LossTables.pipeline(surrogate, new K3(0.1, true, KlPenalty.Where.LOSS), 0.01, aggregation));
      }
    }
    return pipelines;
  }

  @ParameterizedTest
  @MethodSource("pipelines")
  void derivativesMatchFiniteDifferences(LossPipeline pipeline) {
    TokenTable table = LossTables.table(pipeline.aggregation());
    pipeline.evaluate(table);
    float[] dLogprob = table.dLogprob.clone();
    float[] dEntropy = table.dEntropy.clone();
    float[] dExactKl = table.dExactKl.clone();
    for (int t = 0; t < table.tokens(); t++) {
      assertEquals(difference(pipeline, table, table.newLogprob, t), dLogprob[t], 4e-5, "d loss / d log-prob of token " + t);
      assertEquals(difference(pipeline, table, table.entropy, t), dEntropy[t], 1e-6, "d loss / d entropy of token " + t);
      assertEquals(difference(pipeline, table, table.exactKl, t), dExactKl[t], 1e-6, "d loss / d exact KL of token " + t);
    }
    for (int left : new int[] {8, 17}) {
      assertEquals(0, dLogprob[left]);
      assertEquals(0, dEntropy[left]);
      assertEquals(0, dExactKl[left]);
    }
  }

  private static double difference(LossPipeline pipeline, TokenTable table, float[] values, int t) {
    float step = 1f / 1024;
    float value = values[t];
    values[t] = value + step;
    double width = values[t];
    double above = pipeline.evaluate(table).loss();
    values[t] = value - step;
    width -= values[t];
    double below = pipeline.evaluate(table).loss();
    values[t] = value;
    return (above - below) / width;
  }

  /** Sequences in another order, in tables of their own, as they are in micro-batches: the same derivatives, bit for bit. */
  @ParameterizedTest
  @MethodSource("aggregated")
  void derivativesDoNotDependOnMicroBatchesNorOnOrder(LossPipeline pipeline) {
    TokenTable whole = LossTables.table(pipeline.aggregation());
    double expected = pipeline.evaluate(whole).loss();
    double loss = 0;
    for (int b = whole.sequences() - 1; b >= 0; b--) {
      TokenTable part = part(whole, b);
      loss += pipeline.evaluate(part).loss();
      assertArrayEquals(Arrays.copyOfRange(whole.dLogprob, whole.starts[b], whole.starts[b + 1]), part.dLogprob);
      assertArrayEquals(Arrays.copyOfRange(whole.dEntropy, whole.starts[b], whole.starts[b + 1]), part.dEntropy);
    }
    assertEquals(expected, loss, 1e-12);
  }

  private static TokenTable part(TokenTable whole, int b) {
    int from = whole.starts[b];
    int to = whole.starts[b + 1];
    TokenTable part = new TokenTable(new int[] {0, to - from}, Arrays.copyOfRange(whole.oldLogprob, from, to),
        Arrays.copyOfRange(whole.refLogprob, from, to), Arrays.copyOfRange(whole.advantage, from, to),
        Arrays.copyOfRange(whole.weight, from, to), true);
    System.arraycopy(whole.newLogprob, from, part.newLogprob, 0, to - from);
    System.arraycopy(whole.entropy, from, part.entropy, 0, to - from);
    System.arraycopy(whole.exactKl, from, part.exactKl, 0, to - from);
    return part;
  }

  @ParameterizedTest
  @MethodSource("pipelines")
  void tokensOfATokenTermMayComeInAnyPieces(LossPipeline pipeline) {
    if (pipeline.scope() != LossTerm.Scope.TOKEN) {
      return;
    }
    TokenTable table = LossTables.table(pipeline.aggregation());
    pipeline.evaluate(table);
    float[] expected = table.dLogprob.clone();
    Arrays.fill(table.dLogprob, Float.NaN);
    for (int t = 0; t < table.tokens(); t += 4) {
      pipeline.derivatives(table, t, Math.min(t + 4, table.tokens()));
    }
    assertArrayEquals(expected, table.dLogprob);
  }

  @Test
  void allSurrogatesHaveOneGradientWhereTheRatioIsOne() {
    for (Aggregation aggregation : LossTables.AGGREGATIONS) {
      float[] expected = null;
      for (Surrogate surrogate : LossTables.SURROGATES) {
        TokenTable table = LossTables.table(aggregation);
        System.arraycopy(table.oldLogprob, 0, table.newLogprob, 0, table.tokens());
        LossTables.pipeline(surrogate, null, 0, aggregation).evaluate(table);
        expected = expected == null ? table.dLogprob.clone() : expected;
        assertArrayEquals(expected, table.dLogprob, 1e-8f, surrogate + " with " + aggregation);
      }
    }
  }

  /** A token of which any log-prob is no number leaves loss, gradient and metrics, and is counted. */
  @Test
  void brokenTokensAreDroppedAndCounted() {
    LossPipeline pipeline = LossTables.pipeline(new PpoClip(), new K3(0.1, true, KlPenalty.Where.LOSS), 0.01, new TokenMean());
    float[] old = {-1, Float.NaN, -1, -1, -1};
    float[] ref = {-1, -1, Float.NEGATIVE_INFINITY, -1, -1};
    int[] starts = {0, 3, 5};
    boolean[] usable = TokenTable.usable(5, old, ref);
    assertArrayEquals(new boolean[] {true, false, false, true, true}, usable);
    float[] weight = StepTotals.of(starts, usable, null, 0).weights(pipeline.aggregation(), starts, usable, null);
    TokenTable table = new TokenTable(starts, old, ref, new float[] {1, 1, 1, -1, -1}, weight, false);
    Arrays.fill(table.newLogprob, -0.9f);
    assertEquals(2.0, pipeline.evaluate(table).toMap().get("tokens_dropped"));
    table.newLogprob[4] = Float.NaN;
    LossMetrics metrics = pipeline.evaluate(table);
    assertEquals(3.0, metrics.toMap().get("tokens_dropped"), "counted once, however often it is looked at");
    assertEquals(3.0, pipeline.evaluate(table).toMap().get("tokens_dropped"));
    assertTrue(Double.isFinite(metrics.loss()));
    assertEquals(1f / 3, table.weight[0]);
    for (int t : new int[] {1, 2, 4}) {
      assertEquals(0, table.dLogprob[t]);
      assertEquals(0, table.weight[t]);
    }
  }

  @Test
  void severalUpdatesBecomeOneRow() {
    LossMetrics first = new LossMetrics();
    LossMetrics second = new LossMetrics();
    for (LossMetrics step : List.of(first, second)) {
      double k = step == first ? 1 : 3;
      step.sum("loss", k);
      step.mean("kl", k, 2);
      step.min("clip_ratio/low_min", k);
      step.max("clip_ratio/high_max", k);
    }
    second.count("tokens_dropped", 5);
    assertEquals(Map.of("loss", 2.0, "kl", 1.0, "clip_ratio/low_min", 1.0, "clip_ratio/high_max", 3.0, "tokens_dropped", 5.0),
        LossMetrics.combined(List.of(first, second)));
  }

  @Test
  void handWorkedLossOfTwoSequences() {
    // Ratios 1.5 and 0.5 for A = 2; 1.5 for A = -1. Bounds 0.8 and 1.2: losses -2.4, -1, 1.5.
    float half = (float) Math.log(0.5);
    float more = (float) Math.log(1.5);
    TokenTable table = new TokenTable(
        new int[] {0, 2, 3}, new float[3], null, new float[] {2, 2, -1}, new float[] {0.25f, 0.25f, 0.5f}, false);
    System.arraycopy(new float[] {more, half, more}, 0, table.newLogprob, 0, 3);
    System.arraycopy(new float[] {1, 2, 3}, 0, table.entropy, 0, 3);
    LossMetrics metrics = LossTables.pipeline(new PpoClip(), null, 0.1, new SequenceMean()).evaluate(table);
    Map<String, Double> map = metrics.toMap();
    double policy = 0.25 * -2.4 + 0.25 * -1 + 0.5 * 1.5;
    double bonus = 0.1 * (0.25 * 1 + 0.25 * 2 + 0.5 * 3);
    assertEquals(List.of("loss", "policy_loss", "entropy", "clip_ratio/low_mean", "clip_ratio/high_mean", "clip_ratio/region_mean",
        "clip_ratio/low_min", "clip_ratio/high_max"), List.copyOf(map.keySet()));
    assertEquals(policy - bonus, map.get("loss"), 1e-7);
    assertEquals(policy, map.get("policy_loss"), 1e-7);
    assertEquals(2, map.get("entropy"));
    assertEquals(0, map.get("clip_ratio/low_mean"));
    assertEquals(1.0 / 3, map.get("clip_ratio/high_mean"), 1e-12);
    assertEquals(0.5, map.get("clip_ratio/high_max"), "of the first sequence");
    assertArrayEquals(new float[] {0, -0.25f, 0.75f}, table.dLogprob, 1e-6f);
    assertArrayEquals(new float[] {-0.025f, -0.025f, -0.05f}, table.dEntropy, 1e-8f);
  }

  @Test
  void handWorkedSequenceLevelRatio() {
    // Log-ratios 0.2 and 0.4: s = e^0.3 = 1.3499, above 1.28 where A is good.
    TokenTable table = new TokenTable(new int[] {0, 2, 4}, new float[4], null, new float[] {1, 1, -1, -1},
        new float[] {0.25f, 0.25f, 0.25f, 0.25f}, false);
    System.arraycopy(new float[] {0.2f, 0.4f, 0.2f, 0.4f}, 0, table.newLogprob, 0, 4);
    Surrogate sequence = new PpoClip(0.2, 0.28, 0, 0, ImportanceLevel.SEQUENCE);
    LossMetrics metrics = LossTables.pipeline(sequence, null, 0, new TokenMean()).evaluate(table);
    double s = Math.exp(0.3);
    assertEquals(0.5 * -1.28 + 0.5 * s, metrics.loss(), 1e-7);
    assertArrayEquals(new float[] {0, 0, (float) (0.5 * s / 2), (float) (0.5 * s / 2)}, table.dLogprob, 1e-7f);
    assertEquals(0.5, metrics.toMap().get("clip_ratio/high_mean"), "one of two sequences");
  }

  /** Beyond a bound is not the same as without gradient: there, the advantage must lead further away, too. */
  @Test
  void dynamicClippingTellsOutsideFromRemoved() {
    // Old probability 0.1: bounds 0.5 and 2.
    float old = (float) Math.log(0.1);
    TokenTable table = new TokenTable(new int[] {0, 5}, new float[] {old, old, old, old, old}, null, new float[] {1, -1, 1, -1, 1},
        new float[] {0.25f, 0.25f, 0.25f, 0.25f, 0}, false);
    float[] ratios = {0.4f, 0.4f, 3, 3, 5};
    for (int t = 0; t < 5; t++) {
      table.newLogprob[t] = old + (float) Math.log(ratios[t]);
    }
    Map<String, Double> map = LossTables.pipeline(new DynamicClip(), null, 0, new TokenMean()).evaluate(table).toMap();
    assertEquals(0.5, map.get("clip_ratio/outside_low_mean"));
    assertEquals(0.5, map.get("clip_ratio/outside_high_mean"), "the token out of the loss does not count");
    assertEquals(0.25, map.get("clip_ratio/low_mean"));
    assertEquals(0.25, map.get("clip_ratio/high_mean"));
    Map<String, Double> ppo = LossTables.pipeline(new PpoClip(), null, 0, new TokenMean()).evaluate(table).toMap();
    assertFalse(ppo.containsKey("clip_ratio/outside_low_mean"));
  }

  @ParameterizedTest
  @MethodSource("pipelines")
  void aBrokenLogProbStaysFinite(LossPipeline pipeline) {
    for (float broken : new float[] {-1e4f, 1e4f}) {
      TokenTable table = new TokenTable(new int[] {0, 1}, new float[1], new float[1], new float[] {-2}, new float[] {1}, true);
      table.newLogprob[0] = broken;
      assertTrue(Double.isFinite(pipeline.evaluate(table).loss()), pipeline.toString());
      assertEquals(0, table.dLogprob[0], pipeline.toString());
    }
  }

  @Test
  void theWidestScopeDecides() {
    KlPenalty kl = new K3(0.1, true, KlPenalty.Where.LOSS);
    assertEquals(LossTerm.Scope.TOKEN, LossTables.pipeline(new PpoClip(), kl, 0.1, new TokenMean()).scope());
    Surrogate sequence = new Unclipped(ImportanceLevel.SEQUENCE);
    assertEquals(LossTerm.Scope.SEQUENCE, LossTables.pipeline(sequence, null, 0, new TokenMean()).scope());
    assertFalse(LossTables.pipeline(new DynamicClip(), null, 0, new TokenMean()).ignoresAdvantage());
    assertTrue(LossTables.pipeline(new DynamicClip(), null, 0.1, new TokenMean()).ignoresAdvantage());
    assertTrue(LossTables.pipeline(sequence, new K3(0.1, true, KlPenalty.Where.LOSS), 0, new TokenMean()).needsReference());
  }

  @Test
  void columnsMustFit() {
    assertThrows(IllegalArgumentException.class,
        () -> new TokenTable(new int[] {0, 2}, null, null, new float[2], new float[1], false));
  }
}
