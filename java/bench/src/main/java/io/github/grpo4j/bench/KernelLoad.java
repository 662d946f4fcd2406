package io.github.grpo4j.bench;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.cpu.CpuBackend;

/**
 * How much work a kernel is given at once.
 *
 * @param sequences packed sequences of training
 * @param length tokens of each
 * @param rows sequences decoded together
 * @param cached positions of each that the cache holds
 * @param logitRows rows of logits
 * @param matrices how many of the MLP's first matrix the kernels of the optimizer see at once
 */
public record KernelLoad(int sequences, int length, int rows, int cached, int logitRows, int matrices) {
  /** 64 rows of logits are 39 MB at a vocabulary of 151,936. */
  public static final KernelLoad PROCESSOR = new KernelLoad(4, 128, 8, 200, 64, 1);

  /** Fills every multiprocessor, and operands of a streaming kernel do not fit the cache (50 MB on a Hopper). */
  public static final KernelLoad GPU = new KernelLoad(64, 1024, 256, 512, 512, 8);

  public KernelLoad {
    Workload.require(sequences >= 1, "the number of sequences", sequences, "at least 1");
    Workload.require(length >= 1, "the number of tokens of a sequence", length, "at least 1");
    Workload.require(rows >= 1, "the number of decoded rows", rows, "at least 1");
    Workload.require(cached >= 1, "the number of cached positions", cached, "at least 1");
    Workload.require(logitRows >= 1, "the number of rows of logits", logitRows, "at least 1");
    Workload.require(matrices >= 1, "the number of matrices", matrices, "at least 1");
  }

  /** What suits a kind of device. */
  public static KernelLoad of(Backend backend) {
    return backend instanceof CpuBackend ? PROCESSOR : GPU;
  }

  int tokens() {
    return sequences * length;
  }
}
