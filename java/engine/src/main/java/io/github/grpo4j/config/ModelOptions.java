package io.github.grpo4j.config;

import io.github.grpo4j.backend.DType;
import io.github.grpo4j.options.Check;

/**
 * Which model is trained.
 *
 * @param path a Hugging Face model directory, or {@code builtin:tiny} for the small model that ships with the engine
 * @param dtype storage type of weights and activations, F32 or BF16; sums are fp32 in both
 */
public record ModelOptions(String path, DType dtype) {
  /** The model that ships with the engine. */
  public static final String BUILTIN_TINY = "builtin:tiny";

  static final ModelOptions DEFAULTS = new ModelOptions(BUILTIN_TINY, DType.F32);

  public ModelOptions {
    Check.present("model.path", path);
    Check.that(dtype == DType.F32 || dtype == DType.BF16, "model.dtype", dtype, "f32 or bf16");
  }
}
