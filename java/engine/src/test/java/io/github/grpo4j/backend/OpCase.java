package io.github.grpo4j.backend;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.testing.Accuracy;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.TestDevice;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * One op (or a short chain of them) on given inputs: how it runs on a device and what it computes, written in plain double
 * arithmetic. Declared once in {@link OpCases}; compared with golden values, with its reference, with the finite differences of
 * its reference, and with itself on other thread counts and instruction sets.
 *
 * <p>Naming: an input {@code dy} is the gradient of the loss with respect to the output {@code y}; a result {@code dx} is the
 * gradient with respect to the input {@code x}. A result {@code dx.twice} ran accumulating on {@code dx} and must be twice
 * as large; {@code y.f32} is {@code y} stored as F32 whatever the type of the inputs. An output {@code loss} of a reference
 * serves its gradient only: no kernel writes it.
 *
 * @param inputs floating-point inputs by name
 * @param differentiable inputs whose gradients the kernels compute
 * @param fullPrecision inputs that are F32 whatever the storage type
 */
record OpCase(
    String name, Map<String, NdArray> inputs, Set<String> differentiable, Set<String> fullPrecision, Reference reference, Kernel kernel,
    Tolerances tolerances) {

  /** Outputs by name, from inputs by name. */
  interface Reference {
    Map<String, NdArray> compute(Map<String, NdArray> inputs);
  }

  /** Results by name: outputs and gradients. */
  interface Kernel {
    Map<String, NdArray> run(TestDevice device, DType dtype, Map<String, NdArray> inputs);
  }

  /** How far a result may be off. */
  interface Tolerances {
    Tolerance of(DType dtype, String result);
  }

  /** @param relative whether the error is relative (Frobenius norm of the whole tensor) or the largest absolute one */
  record Tolerance(boolean relative, double limit) {
    static Tolerance relative(double limit) {
      return new Tolerance(true, limit);
    }

    static Tolerance absolute(double limit) {
      return new Tolerance(false, limit);
    }
  }

  /** Step of the central differences, for inputs of about unit size. */
  private static final double STEP = 1e-4;

  OpCase {
    inputs = new LinkedHashMap<>(inputs);
  }

  /** Runs the kernels on inputs rounded to {@code dtype}. */
  Map<String, NdArray> run(TestDevice device, DType dtype) {
    return kernel.run(device, dtype, rounded(dtype));
  }

  private Map<String, NdArray> rounded(DType dtype) {
    Map<String, NdArray> rounded = new LinkedHashMap<>();
    inputs.forEach((input, array) -> rounded.put(input, array.rounded(fullPrecision.contains(input) ? DType.F32 : dtype)));
    return rounded;
  }

  /** What a perfect kernel gives for inputs rounded to {@code dtype}: the outputs, and gradients by finite differences. */
  Map<String, NdArray> expected(DType dtype) {
    Map<String, NdArray> in = rounded(dtype);
    Map<String, NdArray> expected = new LinkedHashMap<>(reference.compute(in));
    for (String input : differentiable) {
      NdArray moved = in.get(input).copy();
      double[] gradient = new double[moved.values().length];
      Map<String, NdArray> around = new LinkedHashMap<>(in);
      around.put(input, moved);
      for (int i = 0; i < gradient.length; i++) {
        double x = moved.values()[i];
        gradient[i] = (8 * (lossAt(around, moved, i, x + STEP) - lossAt(around, moved, i, x - STEP))
            - (lossAt(around, moved, i, x + 2 * STEP) - lossAt(around, moved, i, x - 2 * STEP))) / (12 * STEP);
        moved.values()[i] = x;
      }
      expected.put("d" + input, new NdArray(gradient, moved.shape()));
    }
    expected.remove("loss");
    return expected;
  }

  /** Sum over outputs of output times its upstream gradient. */
  private double lossAt(Map<String, NdArray> in, NdArray moved, int i, double value) {
    moved.values()[i] = value;
    double loss = 0;
    for (Map.Entry<String, NdArray> output : reference.compute(in).entrySet()) {
      NdArray upstream = in.get("d" + output.getKey());
      if (upstream != null) {
        for (int j = 0; j < upstream.values().length; j++) {
          loss += upstream.values()[j] * output.getValue().values()[j];
        }
      }
    }
    return loss;
  }

  /** Asserts that everything expected was computed, and that every result is as expected. */
  void check(String where, DType dtype, Map<String, NdArray> expected, Map<String, NdArray> results) {
    assertTrue(results.keySet().containsAll(expected.keySet()),
        () -> name + " computes " + results.keySet() + ", not all of " + expected.keySet());
    results.forEach((result, actual) -> {
      int dot = result.indexOf('.');
      String base = dot < 0 ? result : result.substring(0, dot);
      String variant = dot < 0 ? "" : result.substring(dot + 1);
      NdArray right = expected.get(base);
      assertNotNull(right, () -> name + " has no expectation for " + result);
      if (variant.equals("twice")) {
        right = right.times(2);
      }
      Tolerance tolerance = tolerances.of(variant.equals("f32") ? DType.F32 : dtype, base);
      String what = name + " " + dtype + " " + where + ": " + result;
      if (tolerance.relative()) {
        Accuracy.assertRelative(what, right.values(), actual.values(), tolerance.limit());
      } else {
        Accuracy.assertMaxAbs(what, right.values(), actual.values(), tolerance.limit());
      }
    });
  }

  @Override
  public String toString() {
    return name;
  }
}
