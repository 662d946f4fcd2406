package io.github.grpo4j.model;

import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import java.util.List;

/**
 * One trainable tensor. Matrices that are always multiplied together are stored as one (query, key and value; gate and
 * up), so a parameter may stand for several tensors of the Hugging Face file, stacked by rows.
 *
 * @param name for messages and optimizer state, for example {@code layers.3.qkv.weight}
 * @param weight a packed matrix {@code [out, in]} or a row-major vector {@code [n]}
 * @param slices the file's tensors, top to bottom; together they cover all rows
 */
public record Parameter(String name, Tensor weight, List<Slice> slices) {
  /** Rows {@code [row0, row0 + rows)} of the parameter are the file's tensor {@code fileName}. */
  public record Slice(String fileName, long row0, long rows) {}

  public boolean isMatrix() {
    return weight.layout() == Layout.PACKED;
  }

  /** Shape of a slice as the file has it. */
  public long[] shapeOf(Slice slice) {
    return isMatrix() ? new long[] {slice.rows(), weight.dim(1)} : new long[] {slice.rows()};
  }
}
