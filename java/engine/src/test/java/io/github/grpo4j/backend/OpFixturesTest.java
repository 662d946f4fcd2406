package io.github.grpo4j.backend;

import static io.github.grpo4j.testing.Fixtures.array;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.cpu.CpuBackend;
import io.github.grpo4j.model.safetensors.SafetensorsFile;
import io.github.grpo4j.testing.Accuracy;
import io.github.grpo4j.testing.Fixtures;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.OnEveryInstructionSet;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.testing.TestDevice;
import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;

/** The golden values of {@code ops/}, on every instruction set; in 16-bit types by the error rule, too. */
@Tag("fixtures")
class OpFixturesTest {
  private static final String TAGS = "(f32|bf16)\\..*";
  private static final List<DType> HALVES = TestBackends.storageTypes().stream().filter(dtype -> dtype != DType.F32).toList();

  /** Types that represent the inputs of a tag: fp16 has all bits of a bf16 number of ordinary size. */
  private static List<DType> types(String tag) {
    return tag.equals("f32") ? List.of(DType.F32) : HALVES;
  }

  private static Map<String, NdArray> expected(SafetensorsFile file, String prefix, String... names) throws IOException {
    Map<String, NdArray> expected = new LinkedHashMap<>();
    for (String name : names) {
      expected.put(name, array(file, prefix + name));
    }
    return expected;
  }

  /** @param floor name of the case's noise floors in 16-bit types, which begins with the name of its file */
  private static void check(OpCase c, String tag, CpuBackend.Isa limit, Map<String, NdArray> expected, String floor) {
    for (DType dtype : types(tag)) {
      try (TestDevice device = TestDevice.cpu(2, limit)) {
        Map<String, NdArray> results = c.run(device, dtype);
        c.check("with at most " + limit, dtype, expected, results);
        if (dtype != DType.F32) {
          HalfNoiseFloor.check(fileOf(floor), floor, dtype, expected, results);
        }
      }
    }
  }

  private static String fileOf(String floor) {
    return "ops/" + floor.split(" ")[0] + ".safetensors";
  }

  @OnEveryInstructionSet
  void rmsNorm(CpuBackend.Isa limit) throws IOException {
    try (SafetensorsFile file = Fixtures.open("ops/rmsnorm.safetensors")) {
      for (String result : Fixtures.captures(file, "(.*\\.eps[^.]*)\\.y")) {
        int at = result.lastIndexOf(".eps");
        String input = result.substring(0, at + 1);
        float eps = Float.parseFloat(result.substring(at + 4));
        OpCase c = OpCases.rmsNorm(result, array(file, input + "x"), array(file, input + "w"), array(file, input + "dy"), eps);
        check(c, input.substring(0, input.indexOf('.')), limit, expected(file, result + ".", "y", "dx", "dw"), "rmsnorm " + result);
      }
    }
  }

  @OnEveryInstructionSet
  void rope(CpuBackend.Isa limit) throws IOException {
    try (SafetensorsFile file = Fixtures.open("ops/rope.safetensors")) {
      for (String d : Fixtures.captures(file, "(d\\d+)\\..*")) {
        int[] positions = file.ints(d + ".positions");
        NdArray x = array(file, d + ".x");
        int headDim = (int) x.shape()[2];
        int highest = Arrays.stream(positions).max().orElseThrow();
        NdArray cosSin = References.cosSin(file.doubles(d + ".theta")[0], highest + 1, headDim);
        NdArray flat = x.reshape(x.rows(), x.columns());
        OpCase c = OpCases.rope(d, flat, array(file, d + ".dy").reshape(x.rows(), x.columns()), cosSin, positions);
        for (DType dtype : TestBackends.storageTypes()) {
          try (TestDevice device = TestDevice.cpu(2, limit)) {
            Map<String, NdArray> results = c.run(device, dtype);
            for (String result : new String[] {"y", "dx"}) {
              checkRows(d + "." + result, positions, array(file, d + "." + result), results.get(result), dtype);
            }
            if (dtype != DType.F32) {
              HalfNoiseFloor.check(fileOf("rope"), "rope " + d, dtype, c.expected(dtype), results);
            }
          }
        }
      }
    }
  }

  /** Up to position 199 together; beyond, row by row, since fp32 angles of the reference ecosystem drift there. */
  private static void checkRows(String what, int[] positions, NdArray expected, NdArray actual, DType dtype) {
    int near = 0;
    int columns = expected.columns();
    double[] nearExpected = new double[expected.values().length];
    double[] nearActual = new double[expected.values().length];
    for (int t = 0; t < positions.length; t++) {
      if (positions[t] <= 199) {
        System.arraycopy(expected.values(), t * columns, nearExpected, near * columns, columns);
        System.arraycopy(actual.values(), t * columns, nearActual, near++ * columns, columns);
      } else {
        double tolerance = dtype == DType.F32 ? Math.max(1e-6, 2 * positions[t] * 0x1p-24) : OpCases.limit(dtype, 2e-6, 6e-3);
        Accuracy.assertRelative(what + " at " + positions[t], expected.rows(t, t + 1).values(), actual.rows(t, t + 1).values(), tolerance);
      }
    }
    assertTrue(near > 0, what + " has no position up to 199");
    Accuracy.assertRelative(what, nearExpected, nearActual, OpCases.limit(dtype, 2e-6, 6e-3));
  }

  @OnEveryInstructionSet
  void attention(CpuBackend.Isa limit) throws IOException {
    for (String name : Fixtures.find("ops", "attention_d\\d+.*\\.safetensors")) {
      try (SafetensorsFile file = Fixtures.open(name)) {
        for (String tag : Fixtures.captures(file, TAGS)) {
          NdArray q = array(file, tag + ".q");
          NdArray k = array(file, tag + ".k");
          AttentionShape shape = new AttentionShape((int) q.shape()[1], (int) k.shape()[1], (int) q.shape()[2]);
          OpCase c = OpCases.attention(name, q, k, array(file, tag + ".v"), array(file, tag + ".do"), shape, file.ints("cu_seqlens"));
          String floor = name.substring(name.lastIndexOf('/') + 1).replace(".safetensors", "");
          check(c, tag, limit, expected(file, tag + ".", "o", "lse", "dq", "dk", "dv"), floor);
        }
      }
    }
  }

  @OnEveryInstructionSet
  void attentionDecode(CpuBackend.Isa limit) throws IOException {
    try (SafetensorsFile file = Fixtures.open("ops/attention_decode.safetensors")) {
      for (String d : Fixtures.captures(file, "(d\\d+)\\..*")) {
        try (TestDevice device = TestDevice.cpu(2, limit)) {
          NdArray q = array(file, d + ".q");
          NdArray k = array(file, d + ".k");
          AttentionShape shape = new AttentionShape((int) q.shape()[1], (int) k.shape()[1], (int) q.shape()[2]);
          PagedCache cache = new PagedCache(device, DType.F32, shape, file.ints(d + ".cu_kv"));
          cache.append(k, array(file, d + ".v"));
          NdArray o = cache.attend(q, file.ints(d + ".cu_q"));
          Accuracy.assertRelative(d + " " + limit, array(file, d + ".o").values(), o.values(), 3e-6);
        }
      }
    }
  }

  @OnEveryInstructionSet
  void swiglu(CpuBackend.Isa limit) throws IOException {
    try (SafetensorsFile file = Fixtures.open("ops/swiglu.safetensors")) {
      for (String tag : Fixtures.captures(file, TAGS)) {
        OpCase c = OpCases.swiglu(tag, array(file, tag + ".gate"), array(file, tag + ".up"), array(file, tag + ".dy"));
        check(c, tag, limit, expected(file, tag + ".", "y", "dgate", "dup"), "swiglu");
      }
    }
  }

  /** Row 0 is shifted by 1e4, where fp32 has a spacing of 1e-3: it tests overflow, not precision. */
  @OnEveryInstructionSet
  void logprob(CpuBackend.Isa limit) throws IOException {
    try (SafetensorsFile file = Fixtures.open("ops/logprob.safetensors"); TestDevice device = TestDevice.cpu(2, limit)) {
      NdArray logits = array(file, "logits");
      int rows = logits.rows();
      for (String t : Fixtures.captures(file, "(T.*)\\.logprob")) {
        for (boolean withEntropy : new boolean[] {false, true}) {
          OpCase c = OpCases.logprob(t, logits, file.ints("target"), Double.parseDouble(t.substring(1)), array(file, "d_logprob"),
              withEntropy ? array(file, "d_entropy") : null);
          Map<String, NdArray> results = c.run(device, DType.F32);
          for (String result : new String[] {"logprob", "entropy", "lse", "dlogits"}) {
            NdArray right = array(file, t + "." + result + (withEntropy && result.equals("dlogits") ? "_with_entropy" : ""));
            NdArray actual = results.get(result);
            String what = t + "." + result + " " + limit;
            Accuracy.assertMaxAbs(what + " row 0", right.rows(0, 1).values(), actual.rows(0, 1).values(), 2e-3);
            double[] restRight = right.rows(1, rows).values();
            double[] restActual = actual.rows(1, rows).values();
            switch (result) {
              case "logprob", "lse" -> Accuracy.assertMaxAbs(what, restRight, restActual, 5e-5);
              case "entropy" -> Accuracy.assertMaxAbs(what, restRight, restActual, 1e-5);
              default -> Accuracy.assertRelative(what, restRight, restActual, 1e-6);
            }
          }
        }
      }
    }
  }

  @OnEveryInstructionSet
  void linearLogprob(CpuBackend.Isa limit) throws IOException {
    try (SafetensorsFile file = Fixtures.open("ops/linear_logprob.safetensors")) {
      for (String tag : Fixtures.captures(file, TAGS)) {
        for (String t : Fixtures.captures(file, tag + "\\.(T.*)\\.logprob")) {
          OpCase c = OpCases.linearLogprob(tag + "." + t, array(file, tag + ".h"), array(file, tag + ".w"), file.ints(tag + ".target"),
              Double.parseDouble(t.substring(1)), array(file, tag + ".d_logprob"));
          check(c, tag, limit, expected(file, tag + "." + t + ".", "logprob", "entropy", "dh", "dw"), "linear_logprob " + tag + "." + t);
        }
      }
    }
  }

  @OnEveryInstructionSet
  void embedding(CpuBackend.Isa limit) throws IOException {
    try (SafetensorsFile file = Fixtures.open("ops/embedding.safetensors")) {
      OpCase c = OpCases.embedding("golden", array(file, "w"), file.ints("ids"), array(file, "dy"));
      check(c, "f32", limit, expected(file, "", "y", "dw"), "none");
    }
  }

  @OnEveryInstructionSet
  void linear(CpuBackend.Isa limit) throws IOException {
    try (SafetensorsFile file = Fixtures.open("ops/linear.safetensors")) {
      for (String tag : Fixtures.captures(file, TAGS)) {
        OpCase c = OpCases.linear(tag, array(file, tag + ".x"), array(file, tag + ".w"), array(file, tag + ".b"), array(file, tag + ".dy"));
        check(c, tag, limit, expected(file, tag + ".", "y", "dx", "dw", "db"), "linear");
      }
    }
  }
}
