package io.github.grpo4j.cli;

import io.github.grpo4j.backend.DType;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads {@code --dtype} as the configuration reads {@code model.dtype}. */
final class StorageType implements ITypeConverter<DType> {
  static final String HELP = "Storage of weights and activations: f32, bf16, or on a GPU f16";

  @Override
  public DType convert(String value) {
    return DType.storage(value).orElseThrow(() -> new TypeConversionException("'" + value + "' must be f32, bf16 or f16"));
  }
}
