package io.github.grpo4j.backend.cuda.cudnn;

import io.github.grpo4j.backend.AttentionShape;
import io.github.grpo4j.backend.Tensor;

/** The kernel that tells cuDNN where packed sequences lie; {@code g4_cuda_sequence_slots} in {@code cuda_ops.h} says what it writes. */
public interface SequenceSlots {
  /**
   * @param lengths address of I32 {@code [slots]}
   * @param offsets address of three arrays of I64 {@code [slots + 1]}, each {@code offsetsLength} elements behind the one before
   * @param cuSeqlens I32 {@code [sequences + 1]}, at most as many sequences as slots
   */
  void write(long lengths, long offsets, long offsetsLength, Tensor cuSeqlens, long slots, AttentionShape shape);
}
