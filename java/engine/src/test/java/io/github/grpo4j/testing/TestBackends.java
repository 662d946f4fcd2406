package io.github.grpo4j.testing;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.cpu.CpuBackend;
import io.github.grpo4j.backend.cpu.CpuBackend.Isa;
import io.github.grpo4j.backend.cuda.CudaBackend;
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

  /** With at most that instruction set, one of {@link #instructionSets}; a GPU has no such choice. */
  public static Backend open(int threads, Isa limit) {
    return isCuda() ? CudaBackend.create() : CpuBackend.create(threads, limit);
  }

  /** For {@code @MethodSource}: those to test with {@link #open(int, Isa)}. */
  public static List<Isa> instructionSets() {
    return isCuda() ? List.of(Isa.AVX512_BF16) : List.of(Isa.values());
  }

  /** A size: {@code whole}, or {@code tiny} where an emulated GPU takes milliseconds for what a CPU does in microseconds. */
  public static <T> T sized(T whole, T tiny) {
    return System.getProperty(PROPERTY, "cpu").equals("cuda-emulated") ? tiny : whole;
  }

  /** What activations and weights may be stored as. */
  public static List<DType> storageTypes() {
    return isCuda() ? List.of(DType.F32, DType.BF16, DType.F16) : List.of(DType.F32, DType.BF16);
  }

  /** Skips a test that says nothing about the CUDA back end, which is under test. */
  public static void assumeCpu(String why) {
    Assumptions.assumeFalse(isCuda(), () -> "SKIPPED under " + PROPERTY + "=cuda-emulated: " + why);
  }

  /** Skips a test of the CUDA back end where that is not under test. */
  public static void assumeCuda(String why) {
    Assumptions.assumeTrue(isCuda(), () -> "SKIPPED without " + PROPERTY + "=cuda-emulated: " + why);
  }
}
