package io.github.grpo4j.testing;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.CpuBackend;
import io.github.grpo4j.backend.CpuBackend.Isa;
import io.github.grpo4j.backend.CudaBackend;
import java.util.List;
import org.junit.jupiter.api.Assumptions;

/**
 * The back end that tests run on: that of this machine's processor, or with {@code -Dgrpo4j.test.backend=cuda-emulated} the CUDA
 * back end on the emulated GPU, or with {@code cuda} on this machine's GPU. Which of the two it is, is a matter of the libraries that are
 * found; without a usable one every test that asks for a back end fails.
 */
public final class TestBackends {
  private static final String PROPERTY = "grpo4j.test.backend";

  private TestBackends() {}

  /** Whether a CUDA back end is under test. */
  public static boolean isCuda() {
    String name = System.getProperty(PROPERTY, "cpu");
    return switch (name) {
      case "cpu" -> false;
      case "cuda-emulated", "cuda" -> true;
      default -> throw new IllegalArgumentException(PROPERTY + " is " + name + "; it must be cpu, cuda-emulated or cuda");
    };
  }

  public static Backend open(int threads) {
    return isCuda() ? CudaBackend.create() : CpuBackend.create(threads);
  }

  /** With at most that instruction set; a GPU has no such choice, and its tests run once. */
  public static Backend open(int threads, Isa limit) {
    if (isCuda()) {
      Assumptions.assumeTrue(limit == Isa.AVX512_BF16, "a GPU has one instruction set");
      return CudaBackend.create();
    }
    return CpuBackend.create(threads, limit);
  }

  public static List<Isa> instructionSets() {
    return isCuda() ? List.of(Isa.AVX512_BF16) : List.of(Isa.values());
  }
}
