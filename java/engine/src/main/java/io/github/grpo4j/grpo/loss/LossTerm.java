package io.github.grpo4j.grpo.loss;

/**
 * A summand of the loss, as a function of what the model says of each token: it adds to the derivatives of its tokens' log-probs and
 * entropies, which the ops {@code logprob} and {@code logprobBackward} carry into the model. Plain Java; anyone may write one.
 *
 * <p>A term must not look at other tokens than its {@link #scope} says, so that loss and gradient do not depend on how a step is cut into
 * micro-batches. Tokens of weight 0 are in no loss and no metric.
 */
public interface LossTerm {
  /** What must be known before the term can give derivatives. The order is from little to much. */
  enum Scope {
    /** The token alone. */
    TOKEN,
    /** All tokens of the sequence. */
    SEQUENCE,
    /** All tokens of the optimizer step, which then takes a scoring pass of its own. */
    STEP
  }

  Scope scope();

  /**
   * Adds the term of one sequence or, with scope TOKEN, of some tokens of one.
   *
   * @param table the step's columns; those of the model are filled in for these tokens, and for all tokens with scope STEP
   * @param from first token
   * @param to behind the last token
   * @param metrics takes what becomes metrics, whole sequences at a time; {@link LossMetrics#NONE} where derivatives alone are wanted
   */
  void add(TokenTable table, int from, int to, LossMetrics metrics);

  /** True if the term reads {@link TokenTable#refLogprob}. */
  default boolean needsReference() {
    return false;
  }

  /** True if the term reads {@link TokenTable#exactKl}: the reference model then runs beside the policy. */
  default boolean needsExactKl() {
    return false;
  }

  /** True if a token of advantage 0 can have a gradient. If no term says so, episodes without advantage are not run through the model. */
  default boolean ignoresAdvantage() {
    return true;
  }
}
