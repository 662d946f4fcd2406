package io.github.grpo4j.backend;

import java.util.Arrays;

/** How the elements of a tensor lie in memory. */
public enum Layout {
  /** Row-major and dense: activations, vectors, small arrays. */
  ROWS,
  /**
   * A weight matrix {@code [out, in]} in the order that the back end's matrix kernels read it, laid out once when it is
   * loaded and kept so by the optimizer. The order is the back end's own; use {@link Backend#packRows} and
   * {@link Backend#unpackRows} to cross it. Padding elements, where there are any, are zero.
   */
  PACKED;

  /** @throws IllegalArgumentException if no tensor of this layout has such a type and shape */
  void require(DType dtype, long... shape) {
    if (shape.length == 0) {
      throw new IllegalArgumentException("allocate: a tensor needs at least one dimension");
    }
    for (long dim : shape) {
      if (dim < 0) {
        throw new IllegalArgumentException("allocate: shape " + Arrays.toString(shape) + " has a negative dimension");
      }
    }
    if (this == PACKED && (shape.length != 2 || !dtype.isStorage())) {
      throw new IllegalArgumentException("allocate: a packed tensor is an F32, BF16 or F16 matrix [out, in], not "
          + dtype + Arrays.toString(shape));
    }
  }
}
