package io.github.grpo4j.optim;

import static io.github.grpo4j.testing.Accuracy.assertSameBits;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.DeviceKind;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.cpu.CpuBackend;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelConfig.Family;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.model.Parameter;
import io.github.grpo4j.model.RandomWeights;
import io.github.grpo4j.optim.AdamW.Placement;
import io.github.grpo4j.testing.Accuracy;
import io.github.grpo4j.testing.OpenModel;
import io.github.grpo4j.testing.TestBackends;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Where the states lie makes no difference to what they become. */
class AdamWPlacementTest {
  private static final ModelConfig CONFIG = OpenModel.config(Family.QWEN2, 36, 2, 3, 1, 10, 45, 71, true);
  /** Several buckets in a matrix, and a rest. */
  private static final int BUCKET = 1024;

  /** A model with an optimizer, without forward and backward pass: gradients are random numbers. */
  private static final class Run implements AutoCloseable {
    final Backend backend;
    final ModelWeights weights;
    final Gradients gradients;
    final AdamW optimizer;

    Run(Backend backend, DType dtype, Placement placement, double maxGradNorm) {
      this.backend = backend;
      weights = RandomWeights.create(backend, CONFIG, dtype, 3);
      gradients = new Gradients(backend, weights);
      optimizer = new AdamW(backend, weights, new AdamW.Settings(0.9, 0.95, 1e-8, 0.1, false, maxGradNorm), placement, BUCKET);
    }

    AdamW.StepResult step(int seed, float... extra) {
      Random random = new Random(seed);
      for (Parameter parameter : weights.parameters()) {
        Tensor grad = gradients.of(parameter);
        float[] values = new float[Math.toIntExact(grad.elements())];
        for (int i = 0; i < values.length; i++) {
          values[i] = (float) random.nextGaussian();
        }
        // In the last parameter, so that whoever updates as the gradients come has begun.
        if (parameter.name().equals("final_norm")) {
          System.arraycopy(extra, 0, values, 0, extra.length);
        }
        try (Tensor rows = backend.allocate(DType.F32, Layout.ROWS, grad.shape())) {
          backend.upload(rows, values, 0);
          if (parameter.isMatrix()) {
            backend.packRows(grad, 0, rows);
          } else {
            backend.copy(grad, rows);
          }
        }
      }
      optimizer.prefetch();
      return optimizer.step(gradients, 1e-2);
    }

    /** Weights and states by name, row-major. */
    Map<String, double[]> read() {
      Map<String, double[]> all = new LinkedHashMap<>();
      for (AdamW.State state : optimizer.states()) {
        String name = state.parameter().name();
        all.put(name, read(state.parameter().weight()));
        all.put(name + ".m", read(state.m()));
        all.put(name + ".v", read(state.v()));
        all.put(name + ".master", read(state.master()));
      }
      return all;
    }

    private double[] read(Tensor tensor) {
      float[] values = new float[Math.toIntExact(tensor.elements())];
      try (Tensor rows = backend.allocate(DType.F32, Layout.ROWS, tensor.shape())) {
        if (tensor.layout() == Layout.PACKED) {
          backend.unpackRows(rows, tensor, 0);
        } else if (tensor.dtype() == DType.F32) {
          backend.copy(rows, tensor);
        } else {
          backend.cast(rows, tensor);
        }
        backend.download(rows, values, 0);
      }
      return Accuracy.toDoubles(values);
    }

    @Override
    public void close() {
      optimizer.close();
      gradients.close();
      weights.close();
      assertEquals(0, backend.allocatedBytes());
      assertEquals(0, backend.allocatedHostBytes());
      backend.close();
    }
  }

  private static Map<String, double[]> threeSteps(Backend backend, DType dtype, Placement placement, double maxGradNorm) {
    try (Run run = new Run(backend, dtype, placement, maxGradNorm)) {
      for (int step = 0; step < 3; step++) {
        AdamW.StepResult result = run.step(step);
        assertFalse(result.skipped());
        assertTrue(maxGradNorm == 0 || result.gradNorm() > 10 * maxGradNorm, "the gradient is clipped");
      }
      return run.read();
    }
  }

  private static void assertSame(Map<String, double[]> expected, Map<String, double[]> actual) {
    assertEquals(expected.keySet(), actual.keySet());
    expected.forEach((name, values) -> assertSameBits(name, values, actual.get(name)));
  }

  @ParameterizedTest
  @MethodSource("io.github.grpo4j.testing.TestBackends#storageTypes")
  void allPlacementsGiveTheSameBits(DType dtype) {
    for (double maxGradNorm : new double[] {0, 0.5}) {
      Map<String, double[]> expected = threeSteps(TestBackends.open(2), dtype, Placement.DEVICE, maxGradNorm);
      for (Placement placement : new Placement[] {Placement.OFFLOAD, Placement.HOST}) {
        assertSame(expected, threeSteps(TestBackends.open(2), dtype, placement, maxGradNorm));
      }
    }
  }

  /** Without a clip every operation is one of IEEE arithmetic. The norm is summed in another order on a GPU. */
  @ParameterizedTest
  @EnumSource(Placement.class)
  void agreesWithTheCpu(Placement placement) {
    Map<String, double[]> unclipped = threeSteps(CpuBackend.create(2), DType.BF16, Placement.DEVICE, 0);
    assertSame(unclipped, threeSteps(TestBackends.open(2), DType.BF16, placement, 0));
    Map<String, double[]> clipped = threeSteps(CpuBackend.create(2), DType.F32, Placement.DEVICE, 0.5);
    Map<String, double[]> actual = threeSteps(TestBackends.open(2), DType.F32, placement, 0.5);
    clipped.forEach((name, values) -> Accuracy.assertRelative(name, values, actual.get(name), 1e-6));
  }

  @ParameterizedTest
  @EnumSource(Placement.class)
  void aGradientThatIsNotFiniteChangesNothing(Placement placement) {
    for (DType dtype : TestBackends.storageTypes()) {
      try (Run run = new Run(TestBackends.open(2), dtype, placement, 1); Run clean = new Run(TestBackends.open(2), dtype, placement, 1)) {
        run.step(1);
        clean.step(1);
        for (float bad : new float[] {Float.NaN, Float.NEGATIVE_INFINITY}) {
          assertTrue(run.step(2, 1, bad).skipped());
          assertEquals(1, run.optimizer.stepCount());
        }
        assertSame(clean.read(), run.read());
        run.step(3);
        clean.step(3);
        assertSame(clean.read(), run.read());
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Placement.class)
  void bytesAreThoseOfTheMemoryPlan(Placement placement) {
    DeviceKind kind = TestBackends.isCuda() ? DeviceKind.CUDA : DeviceKind.CPU;
    for (DType dtype : TestBackends.storageTypes()) {
      try (Backend backend = TestBackends.open(1); ModelWeights weights = RandomWeights.create(backend, CONFIG, dtype, 3)) {
        long before = backend.allocatedBytes();
        try (AdamW optimizer = new AdamW(backend, weights, new AdamW.Settings(0.9, 0.95, 1e-8, 0.1, false, 1), placement)) {
          long norm = kind.bytesOf(DType.F64, Layout.ROWS, 2);
          assertEquals(AdamW.deviceBytes(CONFIG, dtype, placement, kind), backend.allocatedBytes() - before - norm);
          assertEquals(AdamW.hostBytes(CONFIG, dtype, placement, kind), backend.allocatedHostBytes());
          boolean moved = TestBackends.isCuda() && placement != Placement.DEVICE;
          assertTrue(optimizer.states().stream().allMatch(state -> (state.m().place() == Tensor.Place.HOST) == moved),
              Arrays.toString(optimizer.states().toArray()));
        }
        assertEquals(before, backend.allocatedBytes());
      }
    }
  }
}
