package io.github.grpo4j.backend;

/**
 * Which rows of a packed batch make up a sequence. A segment is a sequence of its own, or it goes on where another segment,
 * its parent, ends: its rows see all rows of the parent, then their own. A parent has no parent and comes first.
 *
 * @param cuSeqlens I32 {@code [segments + 1]}: row at which each segment starts
 * @param parents I32 {@code [segments]}: index of the parent, -1 without one; null: no segment has one
 * @param workspaceRows I32 {@code [segments]}, null where parents is: the first of the workspace rows of the backward pass
 *     that belong to this segment, as many as its parent has, or as it has itself if it is a parent; else -1
 * @param maxSeqlen longest sequence, the parent's rows included
 */
public record Segments(Tensor cuSeqlens, Tensor parents, Tensor workspaceRows, int maxSeqlen) {
  /** Every segment is a sequence of its own. */
  public static Segments withoutParents(Tensor cuSeqlens, int maxSeqlen) {
    return new Segments(cuSeqlens, null, null, maxSeqlen);
  }
}
