package io.github.grpo4j.backend;

/**
 * Shape of the attention of one layer. Queries, keys and values lie side by side in the rows of one tensor
 * {@code qkv [T, (heads + 2 kvHeads) D]}.
 */
public record AttentionShape(int heads, int kvHeads, int headDim) {
  public int qkvColumns() {
    return (heads + 2 * kvHeads) * headDim;
  }

  public int outColumns() {
    return heads * headDim;
  }

  public int kColumn() {
    return heads * headDim;
  }

  public int vColumn() {
    return (heads + kvHeads) * headDim;
  }

  /** Of the workspace of {@link Backend#attentionBackward}: dK and dV of a row. */
  public int workspaceColumns() {
    return 2 * kvHeads * headDim;
  }
}
