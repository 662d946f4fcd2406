package io.github.grpo4j.model;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Tensor;

/**
 * A loss as {@link LossHead} sees it: what turns the logits of scored tokens into the gradient of the loss. One object serves the batches
 * of an optimizer step one after the other; for each of them the calls are
 *
 * <pre>
 * begin ─▶ [score … score ─▶ scored]   where needsAllScores
 *       ─▶ gradient … gradient ─▶ end
 * </pre>
 */
public interface HeadLoss {
  /**
   * Some scored tokens of a batch.
   *
   * @param row of the first one among the batch's scored tokens
   * @param logits F32 {@code [n, V]}
   * @param refLogits the reference model's of the same tokens; null without one
   * @param targets I32 {@code [n]}: the tokens that are scored
   */
  record Chunk(int row, Tensor logits, Tensor refLogits, Tensor targets) {
    public int tokens() {
      return Math.toIntExact(targets.elements());
    }
  }

  /**
   * A batch comes.
   *
   * @param first number of its first scored token in the optimizer step
   * @param tokens scored tokens of the batch, not none
   * @param arena for tensors that live until {@link #end}: at most {@link LossHead#COLUMNS} of one F32 a token
   */
  void begin(int first, int tokens, Arena arena);

  /** True if the gradient of any token needs the scores of all tokens of the batch. The head's product is then computed twice. */
  default boolean needsAllScores() {
    return false;
  }

  /** Takes what it needs from logits and leaves them as they are. */
  default void score(Chunk chunk) {
    throw new UnsupportedOperationException("this loss asks for no scores");
  }

  /** All tokens of the batch have been scored. */
  default void scored() {}

  /** Overwrites the logits of a chunk with d loss / d logits. */
  void gradient(Chunk chunk);

  /** All gradients of the batch have been asked for. */
  default void end() {}
}
