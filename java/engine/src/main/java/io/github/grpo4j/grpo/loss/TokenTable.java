package io.github.grpo4j.grpo.loss;

import java.util.Arrays;

/**
 * The tokens of an optimizer step, one column per quantity, packed once: T loss tokens of N sequences end to end. A micro-batch is a range
 * of sequences of it. Columns are arrays of length T that everyone may read.
 * Arrays belong to the table; terms add to the last two rows and write nothing else.
 *
 * <pre>
 * given     oldLogprob refLogprob advantage weight
 * by model  newLogprob entropy [exactKl]
 * by terms  dLogprob dEntropy [dExactKl]
 *           tokenLoss
 * </pre>
 */
public final class TokenTable {
  /** {@code [N + 1]} offset of each sequence's first token. */
  public final int[] starts;
  /** Under the present weights. */
  public final float[] newLogprob;
  /** When sampled, or null: on-policy, the ratio is 1 and has a gradient. */
  public final float[] oldLogprob;
  /** Under the reference model; null where there is none. */
  public final float[] refLogprob;
  /** Of the distribution that the token was drawn from, in nats. */
  public final float[] entropy;
  /** Exact KL divergence from the reference, in nats; null unless a term asks for it. */
  public final float[] exactKl;
  public final float[] advantage;
  /** Share of the token in the loss, the normaliser included; 0: the token is in no loss and no metric. */
  public final float[] weight;
  /** d loss / d newLogprob. */
  public final float[] dLogprob;
  /** d loss / d entropy. */
  public final float[] dEntropy;
  /** d loss / d exactKl; null where {@link #exactKl} is. */
  public final float[] dExactKl;
  /** Loss of each token, not weighted. */
  public final double[] tokenLoss;

  /**
   * @param starts {@code [N + 1]}
   * @param oldLogprob, refLogprob may be null
   * @param exactKl whether the column is needed
   */
  public TokenTable(int[] starts, float[] oldLogprob, float[] refLogprob, float[] advantage, float[] weight, boolean exactKl) {
    int tokens = starts[starts.length - 1];
    this.starts = starts;
    this.oldLogprob = requireLength("old log-probs", oldLogprob, tokens);
    this.refLogprob = requireLength("reference log-probs", refLogprob, tokens);
    this.advantage = requireLength("advantages", advantage, tokens);
    this.weight = requireLength("weights", weight, tokens);
    this.newLogprob = new float[tokens];
    this.entropy = new float[tokens];
    this.exactKl = exactKl ? new float[tokens] : null;
    this.dLogprob = new float[tokens];
    this.dEntropy = new float[tokens];
    this.dExactKl = exactKl ? new float[tokens] : null;
    this.tokenLoss = new double[tokens];
  }

  public int sequences() {
    return starts.length - 1;
  }

  public int tokens() {
    return starts[starts.length - 1];
  }

  /** Log of the probability ratio of a token; 0 on-policy. */
  public double logRatio(int t) {
    return oldLogprob == null ? 0 : (double) newLogprob[t] - oldLogprob[t];
  }

  /** Forgets what terms have added for some tokens, before they add again. */
  public void clear(int from, int to) {
    Arrays.fill(dLogprob, from, to, 0);
    Arrays.fill(dEntropy, from, to, 0);
    Arrays.fill(tokenLoss, from, to, 0);
    if (dExactKl != null) {
      Arrays.fill(dExactKl, from, to, 0);
    }
  }

  private static float[] requireLength(String name, float[] values, int tokens) {
    if (values != null && values.length != tokens) {
      throw new IllegalArgumentException(values.length + " " + name + " for " + tokens + " tokens");
    }
    return values;
  }
}
