package io.github.grpo4j.backend;

/** How the elements of a tensor lie in memory. */
public enum Layout {
  /** Row-major and dense: activations, vectors, small arrays. */
  ROWS,
  /**
   * A weight matrix {@code [out, in]} in the order that the back end's matrix kernels read it, laid out once when it is
   * loaded and kept so by the optimizer. The order is the back end's own; use {@link Backend#packRows} and
   * {@link Backend#unpackRows} to cross it. Padding elements, where there are any, are zero.
   */
  PACKED
}
