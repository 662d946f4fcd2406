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
  private int dropped;

  /**
   * @param starts {@code [N + 1]}
   * @param oldLogprob, refLogprob may be null; a token where one is not finite is left out, so its weight becomes 0
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
    boolean[] usable = usable(tokens, oldLogprob, refLogprob);
    for (int t = 0; t < tokens; t++) {
      if (!usable[t]) {
        drop(t);
      }
    }
  }

  /**
   * Which tokens can be in a loss {@code [T]}: not those with a log-prob that is no finite number. A normaliser must leave them out, too.
   *
   * @param columns of log-probs; null where there is none
   */
  public static boolean[] usable(int tokens, float[]... columns) {
    boolean[] usable = new boolean[tokens];
    Arrays.fill(usable, true);
    for (float[] column : columns) {
      for (int t = 0; column != null && t < tokens; t++) {
        usable[t] &= Float.isFinite(column[t]);
      }
    }
    return usable;
  }

  private void drop(int t) {
    weight[t] = 0;
    dropped++;
  }

  /** Takes tokens out of the loss whose scores by the model are no finite numbers, and counts them. */
  void leaveOutBroken(int from, int to) {
    for (int t = from; t < to; t++) {
      if (weight[t] != 0 && !(Float.isFinite(newLogprob[t]) && Float.isFinite(entropy[t]))) {
        drop(t);
      }
    }
  }

  /** Tokens that were taken out of the loss because a log-prob of theirs is no finite number. */
  public int dropped() {
    return dropped;
  }

  /** The sequence that a token belongs to. */
  int sequenceOf(int token) {
    int found = Arrays.binarySearch(starts, token);
    if (found < 0) {
      return -found - 2;
    }
    // Of the sequences that start here all but the last are empty.
    while (found + 1 < starts.length - 1 && starts[found + 1] == token) {
      found++;
    }
    return found;
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
