package io.github.grpo4j.update;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.model.safetensors.HalfFloats;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * {@code into = share from + (1 - share) into} for all weights of two models of one shape, element by element in the order in which they
 * are stored, on the host: it happens every few hundred steps.
 */
final class WeightMix {
  private static final int PIECE_BYTES = 8 << 20;

  private final Backend backend;
  private final ByteBuffer from = ByteBuffer.allocateDirect(PIECE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
  private final ByteBuffer into = ByteBuffer.allocateDirect(PIECE_BYTES).order(ByteOrder.LITTLE_ENDIAN);

  private WeightMix(Backend backend) {
    this.backend = backend;
  }

  static void mix(Backend backend, ModelWeights into, ModelWeights from, double share) {
    WeightMix mix = new WeightMix(backend);
    for (int i = 0; i < into.parameters().size(); i++) {
      Tensor target = into.parameters().get(i).weight();
      Tensor source = from.parameters().get(i).weight();
      if (share == 1) {
        backend.copy(target, source);
      } else {
        mix.blend(target, source, share);
      }
    }
  }

  private void blend(Tensor target, Tensor source, double share) {
    // Borrowed memory may be rounded up to a few bytes more than the weights.
    long total = Math.min(source.bytes(), target.bytes());
    for (long offset = 0; offset < total; offset += PIECE_BYTES) {
      int bytes = (int) Math.min(PIECE_BYTES, total - offset);
      backend.download(source, offset, from.clear().limit(bytes));
      backend.download(target, offset, into.clear().limit(bytes));
      for (int at = 0; at < bytes; at += target.dtype().bytes()) {
        write(target.dtype(), at, (float) (share * read(from, target.dtype(), at) + (1 - share) * read(into, target.dtype(), at)));
      }
      backend.upload(target, offset, into.clear().limit(bytes));
    }
  }

  private static float read(ByteBuffer buffer, DType dtype, int at) {
    return switch (dtype) {
      case F32 -> buffer.getFloat(at);
      case BF16 -> HalfFloats.fromBfloat16(buffer.getShort(at));
      case F16 -> HalfFloats.fromFloat16(buffer.getShort(at));
      default -> throw new IllegalArgumentException("weights are not stored as " + dtype);
    };
  }

  private void write(DType dtype, int at, float value) {
    switch (dtype) {
      case F32 -> into.putFloat(at, value);
      case BF16 -> into.putShort(at, HalfFloats.toBfloat16(value));
      default -> throw new IllegalArgumentException("weights of type " + dtype + " cannot be mixed; use grpo.reference_refresh: reset");
    }
  }
}
