package io.github.grpo4j.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.cpu.CpuBackend;
import io.github.grpo4j.backend.cpu.CpuCeilings;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelConfig.Family;
import io.github.grpo4j.optim.AdamW.Placement;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.OpenModel;
import io.github.grpo4j.testing.TestBackends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** That benchmarks run what they say they run. How fast is no business of a test. */
class BenchTest {
  private static final ModelConfig CONFIG = OpenModel.config(Family.QWEN2, 32, 2, 4, 2, 8, 48, 64, true);
  private static final KernelLoad LOAD = new KernelLoad(2, 20, 3, 40, 5, 2);

  @Test
  void rolloutRatesAreOfTheWorkAskedFor() {
    try (OpenModel open = OpenModel.random(CONFIG, DType.F32, 1, 1)) {
      RolloutBench.Result result = RolloutBench.measure(open.model(), 3, new RolloutBench.Shape(20, 5, 2));
      assertEquals(3, result.completions());
      assertTrue(result.promptTokensPerSecond() > 0 && Double.isFinite(result.promptTokensPerSecond()));
      assertTrue(result.decodeTokensPerSecond() > 0 && Double.isFinite(result.decodeTokensPerSecond()));
    }
  }

  @ParameterizedTest
  @EnumSource(value = DType.class, names = {"F32", "BF16"})
  void aStepTrainsOnEverything(DType dtype) {
    try (OpenModel open = OpenModel.random(CONFIG, dtype, 1, 1)) {
      Map<String, NdArray> before = open.readWeights();
      StepBench.Result result = StepBench.measure(open.model(), new StepBench.Shape(2, 4, 10, 6, 64, CausalLm.Recompute.NONE, 1));
      // The rates are counts over times: 48 new tokens, 2 x 4 x 16 trained ones.
      double seconds = 48 / result.rolloutTokensPerSecond() + 128 / result.trainTokensPerSecond();
      assertEquals(result.stepSeconds(), seconds, 1e-6 * seconds);
      assertTrue(result.peakResidentBytes() > 1 << 20);
      assertTrue(result.tensorBytes() > open.backend().allocatedBytes(), "weights are not all of it");
      if (dtype == DType.F32) {
        // In bf16 an update of 1e-6 shows in the masters alone.
        Map<String, NdArray> after = open.readWeights();
        before.forEach((name, weight) -> assertFalse(Arrays.equals(weight.values(), after.get(name).values()), name));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(value = DType.class, names = {"F32", "BF16"})
  void theOptimizerRunsInEveryPlacementAndLeavesNothing(DType dtype) {
    List<OptimizerBench.Result> results = new ArrayList<>();
    try (Backend backend = TestBackends.open(2)) {
      OptimizerBench.measure(backend, CONFIG, dtype, List.of(Placement.values()), 1, results::add);
      assertEquals(0, backend.allocatedBytes() + backend.allocatedHostBytes());
    }
    assertEquals(List.of(Placement.values()), results.stream().map(OptimizerBench.Result::placement).toList());
    assertTrue(results.stream().allMatch(result -> result.seconds() > 0 && result.bytes() == results.get(0).bytes()));
    double parameters = CONFIG.parameterCount();
    assertEquals((dtype == DType.F32 ? 32 : 34) * parameters, results.get(0).bytes());
    assertEquals((dtype == DType.F32 ? 8 : 12) * parameters, results.get(1).busInBytes());
    assertEquals((dtype == DType.F32 ? 4 : 2) * parameters, results.get(2).busInBytes());
    assertEquals((dtype == DType.F32 ? 8 : 4) * parameters, results.get(2).busOutBytes());
  }

  @ParameterizedTest
  @EnumSource(value = DType.class, names = {"F32", "BF16"})
  void everyKernelCallRunsAndLeavesNothing(DType dtype) {
    try (Backend backend = TestBackends.open(2)) {
      for (Kernel kernel : Kernel.values()) {
        try (KernelCall call = new KernelCall(backend, CONFIG, dtype, kernel, LOAD)) {
          call.run();
          assertTrue(call.bytes() > 0 && call.operations() >= 0 && !call.shape().isEmpty(), kernel.name());
        }
        assertEquals(0, backend.allocatedBytes(), kernel.name());
      }
    }
  }

  /** A back end may return before the work is done, and may record it: neither must shorten what is measured. */
  @Test
  void aMeasuredTimeIsThatOfTheWholeWork() {
    KernelLoad load = new KernelLoad(4, 64, 2, 5, 3, 1);
    try (Backend backend = TestBackends.open(1)) {
      double shortest = Double.POSITIVE_INFINITY;
      try (KernelCall call = new KernelCall(backend, CONFIG, DType.F32, Kernel.ATTENTION, load)) {
        for (int i = 0; i < 10; i++) {
          long start = System.nanoTime();
          call.run();
          backend.synchronize();
          shortest = Math.min(shortest, (System.nanoTime() - start) * 1e-9);
        }
      }
      KernelBench.Result result = KernelBench.measure(backend, CONFIG, DType.F32, Kernel.ATTENTION, load);
      assertTrue(result.seconds() > shortest / 10, result.seconds() + " s, and one call takes " + shortest + " s at least");
    }
  }

  @Test
  void ceilingsOfAnyDevice() {
    try (Backend backend = TestBackends.open(2)) {
      Ceilings ceilings = Ceilings.measure(backend, DType.BF16);
      assertTrue(ceilings.operationsPerSecond() > 1e5 && Double.isFinite(ceilings.operationsPerSecond()));
      assertTrue(ceilings.bytesPerSecond() > 1e5 && Double.isFinite(ceilings.bytesPerSecond()));
      assertEquals(0, backend.allocatedBytes());
    }
  }

  @ParameterizedTest
  @EnumSource(CpuBackend.Isa.class)
  void ceilingsAreMeasuredOnEveryInstructionSet(CpuBackend.Isa isa) {
    try (CpuBackend backend = CpuBackend.create(2, isa)) {
      CpuCeilings ceilings = CpuCeilings.measure(backend, DType.BF16);
      assertTrue(ceilings.multiplyAddPerSecond() > 1e6 && Double.isFinite(ceilings.multiplyAddPerSecond()));
      assertTrue(ceilings.readBytesPerSecond() > 1e6 && Double.isFinite(ceilings.readBytesPerSecond()));
      assertEquals(0, backend.allocatedBytes());
    }
  }

  @Test
  void mediansAndShapes() {
    assertEquals(2, Workload.median(List.of(3.0, 1.0, 2.0)));
    assertEquals(1.5, Workload.median(List.of(2.0, 1.0)));
    assertThrows(IllegalArgumentException.class, () -> new RolloutBench.Shape(1, 5, 1));
    assertThrows(IllegalArgumentException.class, () -> new RolloutBench.Shape(5, 1, 1));
    assertThrows(IllegalArgumentException.class, () -> new KernelLoad(4, 0, 1, 1, 1, 1));
    assertThrows(IllegalArgumentException.class, () -> new StepBench.Shape(1, 3, 5, 5, 64, CausalLm.Recompute.NONE, 1));
  }
}
