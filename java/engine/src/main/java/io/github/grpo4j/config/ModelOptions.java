package io.github.grpo4j.config;

import io.github.grpo4j.backend.DType;
import io.github.grpo4j.options.Check;

/**
 * Which model is trained.
 *
 * @param path a Hugging Face model directory, or {@code builtin:tiny} for the small model that ships with the engine
 * @param dtype storage type of weights and activations, F32, BF16 or (on a GPU) F16; sums are fp32 in all
 */
public record ModelOptions(String path, DType dtype) {
  /** The model that ships with the engine. */
  public static final String BUILTIN_TINY = "builtin:tiny";

  static final ModelOptions DEFAULTS = new ModelOptions(BUILTIN_TINY, DType.F32);

  public ModelOptions {
    Check.present("model.path", path);
    Check.that(dtype.isStorage(), "model.dtype", dtype, "f32, bf16 or f16");
  }
}
