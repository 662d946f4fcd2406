package io.github.grpo4j.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.grpo4j.backend.cpu.CpuBackend;
import io.github.grpo4j.model.safetensors.SafetensorsFile;
import io.github.grpo4j.testing.Accuracy;
import io.github.grpo4j.testing.Fixtures;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.OnEveryInstructionSet;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.testing.TestDevice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class AdamWTest {
  /** One parameter on the device: matrices packed, vectors as rows. */
  private static final class Parameter {
    final String name;
    final boolean matrix;
    final Tensor master;
    final Tensor weight;
    final Tensor m;
    final Tensor v;
    final Tensor grad;

    Parameter(TestDevice device, String name, NdArray value, DType weightType) {
      this.name = name;
      matrix = value.shape().length > 1;
      Layout layout = matrix ? Layout.PACKED : Layout.ROWS;
      master = put(device, value);
      weight = weightType == DType.F32 ? master : device.zeros(weightType, layout, value.shape());
      m = device.zeros(DType.F32, layout, value.shape());
      v = device.zeros(DType.F32, layout, value.shape());
      grad = device.zeros(DType.F32, layout, value.shape());
    }

    Tensor put(TestDevice device, NdArray value) {
      return matrix ? device.packed(DType.F32, value) : device.tensor(DType.F32, value);
    }
  }

  @OnEveryInstructionSet
  @Tag("fixtures")
  void fiveStepsEqualTheGoldenOnes(CpuBackend.Isa limit) throws IOException {
    try (SafetensorsFile file = Fixtures.open("adamw/adamw.safetensors")) {
      JsonNode info = new ObjectMapper().readTree(file.metadata().get("info"));
      for (String variant : Fixtures.captures(file, "(.*)\\.step1\\.grad_norm")) {
        try (TestDevice device = TestDevice.cpu(2, limit)) {
          List<Parameter> parameters = new ArrayList<>();
          for (String name : Fixtures.captures(file, "p0\\.(.*)")) {
            parameters.add(new Parameter(device, name, Fixtures.array(file, "p0." + name), DType.F32));
          }
          for (int step = 1; file.contains("grad" + step + "." + parameters.get(0).name); step++) {
            step(device, file, info, variant, step, parameters);
          }
        }
      }
    }
  }

  private static void step(TestDevice device, SafetensorsFile file, JsonNode info, String variant, int step, List<Parameter> parameters)
      throws IOException {
    Tensor sums = device.zeros(DType.F64, Layout.ROWS, 2);
    for (Parameter p : parameters) {
      device.backend().copy(p.grad, p.put(device, Fixtures.array(file, "grad" + step + "." + p.name)));
      device.backend().sumSquares(sums, p.grad);
    }
    double norm = Math.sqrt(device.read(sums).values()[0]);
    String prefix = variant + ".step" + step + ".";
    Accuracy.assertRelative(prefix + "grad_norm", file.doubles(prefix + "grad_norm"), new double[] {norm}, 1e-6);
    double scale = Math.min(1, info.get("clip").asDouble() / (norm + 1e-6));
    for (Parameter p : parameters) {
      boolean decays = variant.equals("wd_all") || p.matrix;
      device.backend().adamw(p.weight, p.master, p.m, p.v, p.grad, new AdamWSettings((float) info.get("lr").asDouble(),
          info.get("betas").get(0).asDouble(), (float) info.get("betas").get(1).asDouble(), (float) info.get("eps").asDouble(),
          decays ? (float) info.get("weight_decay").asDouble() : 0, step, (float) scale));
      Accuracy.assertMaxAbs(prefix + "p." + p.name, file.doubles(prefix + "p." + p.name), device.read(p.master).values(), 1e-6);
      Accuracy.assertRelative(prefix + "m." + p.name, file.doubles(prefix + "m." + p.name), device.read(p.m).values(), 1e-6);
      Accuracy.assertRelative(prefix + "v." + p.name, file.doubles(prefix + "v." + p.name), device.read(p.v).values(), 1e-6);
    }
  }

  /** A 16-bit weight is the master, rounded, in the weight's own order; its padding stays zero. */
  @OnEveryInstructionSet
  void theWeightIsTheRoundedMaster(CpuBackend.Isa limit) {
    TestBackends.storageTypes().stream().filter(dtype -> dtype != DType.F32).forEach(dtype -> theWeightIsTheRoundedMaster(limit, dtype));
  }

  private static void theWeightIsTheRoundedMaster(CpuBackend.Isa limit, DType dtype) {
    Random random = new Random(9);
    try (TestDevice device = TestDevice.cpu(3, limit)) {
      for (NdArray value : new NdArray[] {NdArray.random(random, 1, 70, 33), NdArray.random(random, 1, 101)}) {
        Parameter p = new Parameter(device, "w", value, dtype);
        device.backend().copy(p.grad, p.put(device, NdArray.random(random, 1, value.shape())));
        device.backend().adamw(p.weight, p.master, p.m, p.v, p.grad, new AdamWSettings(1e-2f, 0.9f, 0.99f, 1e-8f, 0.1f, 1, 0.5f));
        NdArray master = device.read(p.master);
        Accuracy.assertSameBits(limit + " " + p.weight, master.rounded(dtype).values(), device.read(p.weight).values());
        if (p.matrix) {
          Tensor squares = device.zeros(DType.F64, Layout.ROWS, 2);
          device.backend().sumSquares(squares, p.master);
          double expected = 0;
          for (double x : master.values()) {
            expected += x * x;
          }
          assertEquals(expected, device.read(squares).values()[0], 1e-6 * expected);
        }
      }
    }
  }

  @Test
  void givesTheSameBitsOnAnyNumberOfThreads() {
    NdArray value = NdArray.random(new Random(10), 1, 300, 500);
    NdArray grad = NdArray.random(new Random(11), 1, 300, 500);
    double[][] sums = new double[3][];
    double[][] values = new double[3][];
    for (int threads = 1; threads <= 3; threads++) {
      try (TestDevice device = TestDevice.cpu(threads)) {
        Parameter p = new Parameter(device, "w", value, DType.F32);
        device.backend().copy(p.grad, p.put(device, grad));
        Tensor sum = device.zeros(DType.F64, Layout.ROWS, 2);
        device.backend().sumSquares(sum, p.grad);
        device.backend().adamw(p.weight, p.master, p.m, p.v, p.grad, new AdamWSettings(1e-2f, 0.9f, 0.99f, 1e-8f, 0.1f, 1, 0.5f));
        sums[threads - 1] = device.read(sum).values();
        values[threads - 1] = device.read(p.master).values();
      }
    }
    for (int other = 1; other < 3; other++) {
      Accuracy.assertSameBits("sum of squares", sums[0], sums[other]);
      Accuracy.assertSameBits("master", values[0], values[other]);
    }
  }

  @OnEveryInstructionSet
  void sumSquaresCountsWhatIsNotFinite(CpuBackend.Isa limit) {
    NdArray grad = NdArray.random(new Random(12), 1, 3001);
    try (TestDevice device = TestDevice.cpu(2, limit)) {
      Tensor out = device.zeros(DType.F64, Layout.ROWS, 2);
      device.backend().sumSquares(out, device.tensor(DType.F32, grad));
      assertEquals(0, device.read(out).values()[1]);
      grad.values()[0] = Double.NaN;
      grad.values()[1500] = Double.POSITIVE_INFINITY;
      grad.values()[3000] = Double.NEGATIVE_INFINITY;
      device.backend().sumSquares(out, device.tensor(DType.F32, grad));
      assertEquals(3, device.read(out).values()[1]);
    }
  }
}
