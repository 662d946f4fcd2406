package io.github.grpo4j.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.grpo4j.backend.cpu.CpuBackend;
import io.github.grpo4j.backend.cpu.CpuOps;
import io.github.grpo4j.backend.cpu.KernelSettings;
import io.github.grpo4j.backend.cuda.CudaOps;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToIntFunction;
import org.junit.jupiter.api.Test;

/** Choices cross into C as numbers: those of {@code grpo4j/ops.h}, from which both libraries and the classes that call them are made. */
class OpCodesTest {
  /** @param codes of every constant in turn, as CpuOps and as CudaOps know them */
  private static <E extends Enum<E>> void assertCodes(Class<E> type, ToIntFunction<E> code, List<List<Integer>> codes) {
    Map<E, Integer> ofJava = new EnumMap<>(type);
    Map<E, Integer> ofCpu = new EnumMap<>(type);
    Map<E, Integer> ofCuda = new EnumMap<>(type);
    E[] constants = type.getEnumConstants();
    assertEquals(constants.length, codes.size(), "a constant of " + type.getSimpleName() + " is missing in this test");
    for (int i = 0; i < constants.length; i++) {
      ofJava.put(constants[i], code.applyAsInt(constants[i]));
      ofCpu.put(constants[i], codes.get(i).get(0));
      ofCuda.put(constants[i], codes.get(i).get(1));
    }
    assertEquals(ofCpu, ofJava);
    assertEquals(ofCuda, ofJava);
  }

  @Test
  void storageTypesHaveTheCodesOfTheCatalogue() {
    int none = -1; // sums are F64 by definition, and no op is told so
    assertCodes(DType.class, DType::code, List.of(List.of(CpuOps.G4_F32, CudaOps.G4_F32), List.of(CpuOps.G4_BF16, CudaOps.G4_BF16),
        List.of(CpuOps.G4_F16, CudaOps.G4_F16), List.of(CpuOps.G4_I32, CudaOps.G4_I32), List.of(none, none)));
  }

  @Test
  void lossesHaveTheCodesOfTheCatalogue() {
    assertCodes(TokenLoss.Kind.class, TokenLoss.Kind::code,
        List.of(List.of(CpuOps.G4_LOSS_LINEAR, CudaOps.G4_LOSS_LINEAR), List.of(CpuOps.G4_LOSS_CLIPPED, CudaOps.G4_LOSS_CLIPPED)));
  }

  @Test
  void klEstimatorsHaveTheCodesOfTheCatalogue() {
    assertCodes(TokenLoss.Kl.class, TokenLoss.Kl::code, List.of(List.of(CpuOps.G4_KL_NONE, CudaOps.G4_KL_NONE),
        List.of(CpuOps.G4_KL_K1, CudaOps.G4_KL_K1), List.of(CpuOps.G4_KL_K2, CudaOps.G4_KL_K2),
        List.of(CpuOps.G4_KL_K3, CudaOps.G4_KL_K3)));
  }

  @Test
  void instructionSetsHaveTheCodesOfTheCatalogue() {
    assertCodes(CpuBackend.Isa.class, CpuBackend.Isa::code, List.of(List.of(CpuOps.G4_ISA_BASELINE, CudaOps.G4_ISA_BASELINE),
        List.of(CpuOps.G4_ISA_AVX2, CudaOps.G4_ISA_AVX2), List.of(CpuOps.G4_ISA_AVX512, CudaOps.G4_ISA_AVX512),
        List.of(CpuOps.G4_ISA_AVX512_BF16, CudaOps.G4_ISA_AVX512_BF16)));
  }

  @Test
  void theSettingsThatOpsReadHoldTheCodes() {
    try (KernelSettings settings = new KernelSettings()) {
      CpuOps.g4_token_loss loss = settings.of(new TokenLoss(TokenLoss.Kind.CLIPPED, TokenLoss.Kl.K2, false, 0.1f, 0, 2, 3));
      assertEquals(List.of(CpuOps.G4_LOSS_CLIPPED, CpuOps.G4_KL_K2), List.of(loss.kind(), loss.kl_kind()));
      loss = settings.of(TokenLoss.LINEAR);
      assertEquals(List.of(CpuOps.G4_LOSS_LINEAR, CpuOps.G4_KL_NONE), List.of(loss.kind(), loss.kl_kind()));
    }
  }
}
