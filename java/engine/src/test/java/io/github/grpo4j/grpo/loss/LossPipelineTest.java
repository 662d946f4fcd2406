package io.github.grpo4j.grpo.loss;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.TokenLoss;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class TokenObjectiveTest {
  private static final double OFF = Double.POSITIVE_INFINITY;

  static List<Objective> objectives() {
    List<Objective> objectives = new ArrayList<>();
    for (ImportanceLevel level : ImportanceLevel.values()) {
      for (TokenLoss.Kl estimator : TokenLoss.Kl.values()) {
        for (boolean timesRatio : new boolean[] {false, true}) {
          objectives.add(new Objective(new Clipping.Ppo(0.2, 0.28), new Kl(estimator, 0.3, timesRatio), new Aggregation.TokenMean(),
              level, 0.01, 1.5, level == ImportanceLevel.TOKEN ? 1.2 : OFF));
        }
      }
      objectives.add(new Objective(new Clipping.None(), Kl.NONE, new Aggregation.SequenceMean(), level, 0, OFF, OFF));
    }
    return objectives;
  }

  /** Three episodes, one of them with tokens left out, ratios on both sides of every bound. */
  private static TokenBatch batch(Objective objective, boolean onPolicy) {
    int[] cuSeqlens = {0, 5, 6, 18};
    Random random = new Random(7);
    float[] newLogprob = new float[18];
    float[] oldLogprob = new float[18];
    float[] refLogprob = new float[18];
    float[] entropy = new float[18];
    boolean[] mask = new boolean[18];
    for (int t = 0; t < 18; t++) {
      newLogprob[t] = -3 * random.nextFloat();
      oldLogprob[t] = newLogprob[t] + 1.6f * (random.nextFloat() - 0.5f);
      refLogprob[t] = newLogprob[t] + 1.6f * (random.nextFloat() - 0.5f);
      entropy[t] = random.nextFloat();
      mask[t] = t != 8 && t != 17;
    }
    float[] advantages = TokenBatch.perToken(new double[] {1.3, -0.7, -1.1}, cuSeqlens);
    float[] weights = objective.aggregation().weights(cuSeqlens, mask, StepTotals.of(cuSeqlens, mask));
    return new TokenBatch(cuSeqlens, newLogprob, onPolicy ? null : oldLogprob, refLogprob, entropy, advantages, weights);
  }

  @ParameterizedTest
  @MethodSource("objectives")
  void derivativesMatchFiniteDifferences(Objective objective) {
    TokenObjective evaluator = new TokenObjective(objective);
    TokenBatch batch = batch(objective, false);
    TokenObjective.Evaluation result = evaluator.evaluate(batch);
    float step = 1f / 1024;
    for (int t = 0; t < 18; t++) {
      double logprob = difference(evaluator, batch, batch.newLogprob(), t, step);
      assertEquals(logprob, result.dLogprob()[t], 2e-5, "d loss / d log-prob of token " + t);
      double entropy = difference(evaluator, batch, batch.entropy(), t, step);
      assertEquals(entropy, result.dEntropy()[t], 1e-6, "d loss / d entropy of token " + t);
    }
    assertEquals(0, result.dLogprob()[8]);
    assertEquals(0, result.dLogprob()[17]);
  }

  private static double difference(TokenObjective evaluator, TokenBatch batch, float[] values, int t, float step) {
    float value = values[t];
    values[t] = value + step;
    double width = values[t];
    double above = evaluator.evaluate(batch).loss();
    values[t] = value - step;
    width -= values[t];
    double below = evaluator.evaluate(batch).loss();
    values[t] = value;
    return (above - below) / width;
  }

  @ParameterizedTest
  @MethodSource("objectives")
  void lossAndGradientDoNotDependOnMicroBatches(Objective objective) {
    TokenObjective evaluator = new TokenObjective(objective);
    TokenBatch whole = batch(objective, false);
    TokenObjective.Evaluation expected = evaluator.evaluate(whole);
    double loss = 0;
    ObjectiveMetrics metrics = new ObjectiveMetrics();
    for (int b = whole.sequences() - 1; b >= 0; b--) {
      int from = whole.cuSeqlens()[b];
      int to = whole.cuSeqlens()[b + 1];
      TokenObjective.Evaluation part = evaluator.evaluate(new TokenBatch(new int[] {0, to - from}, slice(whole.newLogprob(), from, to),
          slice(whole.oldLogprob(), from, to), slice(whole.refLogprob(), from, to), slice(whole.entropy(), from, to),
          slice(whole.advantage(), from, to), slice(whole.weight(), from, to)));
      loss += part.loss();
      metrics.add(part.metrics());
      assertArrayEquals(slice(expected.dLogprob(), from, to), part.dLogprob(), 0);
    }
    assertEquals(expected.loss(), loss, 1e-12);
    expected.metrics().toMap().forEach((key, value) -> assertEquals(value, metrics.toMap().get(key), 1e-12, key));
  }

  private static float[] slice(float[] values, int from, int to) {
    return Arrays.copyOfRange(values, from, to);
  }

  @Test
  void everythingIsThePolicyGradientWhenOnPolicy() {
    for (Objective objective : objectives()) {
      if (objective.kl().estimator() == TokenLoss.Kl.NONE && objective.aggregation() instanceof Aggregation.TokenMean) {
        TokenBatch batch = batch(objective, true);
        TokenObjective.Evaluation result = new TokenObjective(objective).evaluate(batch);
        float[] expected = new float[18];
        for (int t = 0; t < 18; t++) {
          expected[t] = -batch.weight()[t] * batch.advantage()[t];
        }
        assertArrayEquals(expected, result.dLogprob(), 1e-7f, objective.toString());
      }
    }
  }

  /** Bounds [0.8, 1.28], cap 1.5, dual clip 1.4: loss and derivative by the ratio of one token, worked out by hand. */
  @Test
  void regionsOfTheClippedLoss() {
    Objective objective = new Objective(new Clipping.Ppo(0.2, 0.28), Kl.NONE, new Aggregation.TokenMean(), ImportanceLevel.TOKEN, 0, 1.5, 1.4);
    double[][] ratioAdvantageLossGradient = {
        {0.5, 2, -1, -1}, {1.2, 2, -2.4, -2.4}, {1.3, 2, -2.56, 0}, {9, 2, -2.56, 0},
        {0.5, -2, 1.6, 0}, {0.9, -2, 1.8, 1.8}, {1.3, -2, 2.6, 2.6}, {1.45, -2, 2.8, 0}, {9, -2, 2.8, 0}, {0.5, 0, 0, 0}};
    for (double[] row : ratioAdvantageLossGradient) {
      TokenObjective.Evaluation result = new TokenObjective(objective).evaluate(new TokenBatch(new int[] {0, 1},
          new float[] {(float) Math.log(row[0])}, new float[1], null, null, new float[] {(float) row[1]}, new float[] {1}));
      assertEquals(row[2], result.loss(), 1e-6, Arrays.toString(row));
      assertEquals(row[3], result.dLogprob()[0], 1e-6, Arrays.toString(row));
    }
  }

  @Test
  void theCapBoundsTheRatioWithoutDualClip() {
    Objective objective = new Objective(new Clipping.Ppo(0.2, 0.28), Kl.NONE, new Aggregation.TokenMean(), ImportanceLevel.TOKEN, 0, 1.5, OFF);
    TokenObjective.Evaluation result = new TokenObjective(objective).evaluate(new TokenBatch(new int[] {0, 1},
        new float[] {5}, new float[1], null, null, new float[] {-2}, new float[] {1}));
    assertEquals(3, result.loss(), 1e-6);
    assertEquals(0, result.dLogprob()[0]);
  }

  @ParameterizedTest
  @MethodSource("objectives")
  void aBrokenLogProbStaysFinite(Objective objective) {
    for (float broken : new float[] {-1e4f, 1e4f}) {
      TokenObjective.Evaluation result = new TokenObjective(objective).evaluate(new TokenBatch(new int[] {0, 1},
          new float[] {broken}, new float[1], new float[1], new float[1], new float[] {-2}, new float[] {1}));
      assertTrue(Double.isFinite(result.loss()), objective.toString());
      assertEquals(0, result.dLogprob()[0], objective.toString());
    }
  }

  @Test
  void weightsOfAggregations() {
    int[] cuSeqlens = {0, 2, 5, 5, 6};
    boolean[] mask = {true, true, true, false, true, false};
    StepTotals totals = StepTotals.of(cuSeqlens, mask);
    assertEquals(new StepTotals(4, 4), totals);
    assertArrayEquals(new float[] {.25f, .25f, .25f, 0, .25f, 0}, new Aggregation.TokenMean().weights(cuSeqlens, mask, totals));
    assertArrayEquals(new float[] {.125f, .125f, .125f, 0, .125f, 0}, new Aggregation.SequenceMean().weights(cuSeqlens, mask, totals));
    assertArrayEquals(new float[] {.25f, .25f, .25f, 0, .25f, 0}, new Aggregation.SequenceSum().weights(cuSeqlens, mask, totals));
    assertArrayEquals(new float[] {.025f, .025f, .025f, 0, .025f, 0}, new Aggregation.Constant(10).weights(cuSeqlens, mask, totals));
    assertEquals(new StepTotals(8, 8), totals.plus(totals));
    assertArrayEquals(new float[] {1f / 6, 1f / 6, 1f / 6, 1f / 6, 1f / 6, 1f / 6},
        new Aggregation.TokenMean().weights(cuSeqlens, null, StepTotals.of(cuSeqlens, null)));
  }

  @Test
  void theKernelGetsTheSameSettings() {
    Objective objective = new Objective(new Clipping.Ppo(0.2, 0.28), new Kl(TokenLoss.Kl.K3, 0.04, true), new Aggregation.TokenMean(),
        ImportanceLevel.TOKEN, 0.01, 4, 3);
    assertEquals(new TokenLoss(TokenLoss.Kind.CLIPPED, TokenLoss.Kl.K3, true, 0.04f, 0.01f, 4, 3), objective.toTokenLoss());
    Objective sequence = new Objective(new Clipping.Ppo(0.2, 0.28), Kl.NONE, new Aggregation.SequenceMean(), ImportanceLevel.SEQUENCE, 0, OFF, OFF);
    assertEquals(TokenLoss.LINEAR, sequence.toTokenLoss());
    assertEquals(TokenLoss.Kl.NONE, Objective.of(new Clipping.None(), new Kl(TokenLoss.Kl.K3, 0, false), new Aggregation.TokenMean()).toTokenLoss().kl());
  }

  @Test
  void whatIsMissingIsNamed() {
    Objective kl = Objective.of(new Clipping.None(), new Kl(TokenLoss.Kl.K1, 0.1, false), new Aggregation.TokenMean());
    TokenBatch batch = new TokenBatch(new int[] {0, 1}, new float[1], null, null, null, new float[1], new float[1]);
    assertTrue(assertThrows(IllegalArgumentException.class, () -> new TokenObjective(kl).evaluate(batch)).getMessage().contains("kl_coef"));
    assertThrows(IllegalArgumentException.class, () -> new TokenBatch(new int[] {0, 2}, new float[1], null, null, null, new float[2], new float[2]));
    assertThrows(IllegalArgumentException.class, () -> new Clipping.Ppo(1.5, 0.2));
    assertThrows(IllegalArgumentException.class, () -> new Kl(TokenLoss.Kl.K1, Double.NaN, false));
  }
}
