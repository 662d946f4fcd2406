package io.github.grpo4j.update;

import static io.github.grpo4j.testing.Accuracy.assertMaxAbs;
import static io.github.grpo4j.testing.Accuracy.assertRelative;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.model.CausalLm.Recompute;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.safetensors.SafetensorsFile;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.testing.Fixtures;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.OpenModel;
import io.github.grpo4j.update.GradientPass.Sample;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The gradient of every weight of whole models against float64 autograd. */
@Tag("fixtures")
class BackwardFixtureTest {
  static List<String> files() {
    return Fixtures.find("backward", ".+\\.sft\\.safetensors");
  }

  /**
   * A bias's gradient is a sum of bf16 rows that nearly cancel: transformers in bf16 (eager attention) is itself up to 0.067 from
   * float64 on these models' biases, and no more is allowed here.
   */
  private static final double BF16_BIAS = 6.7e-2;

  @ParameterizedTest
  @MethodSource("files")
  void fp32GradientsAreWithinRounding(String name) throws IOException {
    check(name, DType.F32, 5e-5);
  }

  @ParameterizedTest
  @MethodSource("files")
  void bf16GradientsAreWithinTheirOwnRounding(String name) throws IOException {
    check(name, DType.BF16, 5e-2);
  }

  private static void check(String name, DType dtype, double tolerance) throws IOException {
    try (SafetensorsFile golden = Fixtures.open(name);
        OpenModel open = OpenModel.fixture(name.replaceAll("backward/|\\.sft\\.safetensors", ""), dtype, 2);
        Gradients gradients = new Gradients(open.backend(), open.weights());
        GradientPass pass = inMicroBatches(open, OpenModel.sequences(golden), Recompute.NONE);
        AdamW optimizer = new AdamW(open.backend(), open.weights(), new AdamW.Settings(0.9, 0.999, 1e-8, 0, true, 1))) {
      List<int[]> sequences = OpenModel.sequences(golden);
      List<int[]> masks = OpenModel.split(golden.ints("label_mask"), golden.ints("cu_seqlens"));
      LinearLoss loss = new LinearLoss(open.backend(), derivatives(masks), 1);
      pass.backward(sequences.stream().map(ids -> new Sample(ids, 1)).toList(), loss, gradients);
      if (dtype == DType.F32) {
        assertMaxAbs(name + " logprob", golden.doubles("logprob_f64"), doubles(loss.logprob()), 1e-4);
        assertRelative(name + " loss", golden.doubles("loss"), new double[] {loss(derivatives(masks), loss.logprob())}, 1e-6);
        double norm = optimizer.step(gradients, 0).gradNorm();
        assertRelative(name + " grad_norm", golden.doubles("grad_norm"), new double[] {norm}, 1e-5);
      }
      int stride = info(golden).path("row_stride").asInt(1);
      Map<String, NdArray> found = open.readByFileName(gradients::of);
      assertEquals(Fixtures.captures(golden, "grad\\.(.+)"), new java.util.TreeSet<>(found.keySet()), "tensors with a gradient");
      boolean measured = Fixtures.isOwnCopy(name);
      found.forEach((tensor, gradient) -> {
        if (dtype != DType.BF16 || !tensor.endsWith(".bias")) {
          compare(golden, tensor, gradient, stride, tolerance);
        } else if (measured) {
          compare(golden, tensor, gradient, stride, BF16_BIAS);
        } else {
          compareUnmeasuredBias(golden, tensor, gradient, found.get(tensor.replace(".bias", ".weight")), tolerance);
        }
      });
    }
  }

  /** Micro-batches of little more than the longest sequence, so that a batch takes several. */
  static GradientPass inMicroBatches(OpenModel open, List<int[]> sequences, Recompute recompute) {
    int longest = sequences.stream().mapToInt(sequence -> sequence.length).max().orElseThrow();
    return new GradientPass(open.model(), longest + 7, longest, recompute);
  }

  /**
   * How nearly the rows cancel depends on the model, so without a measurement the error is relative to the bias's gradient or to a column of
   * its matrix's, whichever is larger: the matrix's is a sum of the same rows, times inputs of about unit size.
   */
  private static void compareUnmeasuredBias(SafetensorsFile golden, String tensor, NdArray gradient, NdArray ofMatrix, double tolerance) {
    try {
      double[] expected = golden.doubles("grad." + tensor);
      double scale = Math.max(norm(expected), norm(ofMatrix.values()) / Math.sqrt(ofMatrix.columns()));
      double error = norm(IntStream.range(0, expected.length).mapToDouble(i -> gradient.values()[i] - expected[i]).toArray()) / scale;
      String what = golden.path().getFileName() + " grad." + tensor;
      Fixtures.sayWeaker(what + " in BF16 may be off by " + tolerance + " of itself or of a column of its matrix's gradient, not by "
          + BF16_BIAS + " of itself");
      assertTrue(error <= tolerance, () -> what + ": error " + error + " of the larger of bias and matrix, allowed " + tolerance);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private static double norm(double[] values) {
    return Math.sqrt(Arrays.stream(values).map(v -> v * v).sum());
  }

  private static void compare(SafetensorsFile golden, String tensor, NdArray gradient, int stride, double tolerance) {
    try {
      String what = golden.path().getFileName() + " grad." + tensor;
      if (stride > 1 && gradient.shape().length == 2) {
        assertRelative(what, golden.doubles("grad." + tensor), everyRow(gradient, stride), tolerance);
        assertRelative(what + " norm", golden.doubles("grad_fro." + tensor), new double[] {norm(gradient.values())}, tolerance);
      } else {
        assertRelative(what, golden.doubles("grad." + tensor), gradient.values(), tolerance);
      }
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** Rows 0, stride, 2 stride, …: how large matrices are stored. */
  static double[] everyRow(NdArray matrix, int stride) {
    int columns = matrix.columns();
    double[] kept = new double[(matrix.rows() + stride - 1) / stride * columns];
    for (int row = 0; row < matrix.rows(); row += stride) {
      System.arraycopy(matrix.values(), row * columns, kept, row / stride * columns, columns);
    }
    return kept;
  }

  static JsonNode info(SafetensorsFile file) throws IOException {
    return new ObjectMapper().readTree(file.metadata().get("info"));
  }

  /** Of minus the mean log-prob of the targets whose mask is 1: d loss / d log-prob is -1 / count there. */
  private static float[] derivatives(List<int[]> masks) {
    int count = masks.stream().mapToInt(mask -> Arrays.stream(mask, 1, mask.length).sum()).sum();
    float[] derivatives = new float[masks.stream().mapToInt(mask -> mask.length - 1).sum()];
    int next = 0;
    for (int[] mask : masks) {
      for (int t = 1; t < mask.length; t++) {
        derivatives[next++] = mask[t] == 1 ? -1f / count : 0;
      }
    }
    return derivatives;
  }

  private static double loss(float[] derivatives, float[] logprob) {
    double sum = 0;
    int count = 0;
    for (int t = 0; t < derivatives.length; t++) {
      sum -= derivatives[t] == 0 ? 0 : logprob[t];
      count += derivatives[t] == 0 ? 0 : 1;
    }
    return sum / count;
  }

  static double[] doubles(float[] values) {
    return io.github.grpo4j.testing.Accuracy.toDoubles(values);
  }
}
