package io.github.grpo4j.model;

import static io.github.grpo4j.testing.Accuracy.assertMaxAbs;
import static io.github.grpo4j.testing.Accuracy.assertMeanAbs;
import static io.github.grpo4j.testing.Accuracy.assertRelative;
import static io.github.grpo4j.testing.Accuracy.assertSameBits;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.CausalLm.Activations;
import io.github.grpo4j.model.CausalLm.Recompute;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.model.LossHead.Targets;
import io.github.grpo4j.model.safetensors.SafetensorsFile;
import io.github.grpo4j.testing.Fixtures;
import io.github.grpo4j.testing.OpenModel;
import io.github.grpo4j.testing.TestBackends;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Hidden states, logits, log-probs and entropies of whole models against float64 arithmetic on the same weights. */
@Tag("fixtures")
class ForwardFixtureTest {
  static List<String> files() {
    return Fixtures.find("forward", ".+\\.safetensors");
  }

  @ParameterizedTest
  @MethodSource("files")
  void fp32ArithmeticIsWithinRounding(String name) throws IOException {
    try (SafetensorsFile golden = Fixtures.open(name);
        OpenModel open = OpenModel.fixture(modelOf(name), DType.F32, 2);
        Pass pass = new Pass(open, OpenModel.sequences(golden))) {
      List<Tensor> residuals = pass.activations.residuals();
      assertEquals(Fixtures.captures(golden, "hidden\\.(\\d+)").size(), residuals.size(), "embedding and layers");
      for (int k = 0; k < residuals.size(); k++) {
        assertRelative(name + " hidden." + k, golden.doubles("hidden." + k), pass.read(residuals.get(k)), 1e-5);
      }
      assertRelative(name + " final_norm", golden.doubles("final_norm"), pass.read(pass.activations.normed()), 1e-5);
      assertRelative(name + " logits", golden.doubles("logits_f64"), pass.logits(), 1e-5);
      for (String suffix : Fixtures.captures(golden, "logprob_f64(.*)")) {
        Scores scores = pass.score(temperatureOf(suffix));
        assertMaxAbs(name + " logprob" + suffix, golden.doubles("logprob_f64" + suffix), scores.logprob(), 1e-4);
        assertMaxAbs(name + " entropy" + suffix, golden.doubles("entropy_f64" + suffix), scores.entropy(), 1e-4);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("files")
  void bf16StorageIsWithinItsOwnRounding(String name) throws IOException {
    check(name, DType.BF16, 4e-2, 0.1);
  }

  /** Its fractions have three bits more. */
  @ParameterizedTest
  @MethodSource("files")
  void fp16StorageIsWithinItsOwnRounding(String name) throws IOException {
    TestBackends.assumeCuda("the CPU does not compute in fp16");
    check(name, DType.F16, 4e-2 / 8, 0.1 / 8);
  }

  private static void check(String name, DType dtype, double ofLogits, double ofLogprob) throws IOException {
    try (SafetensorsFile golden = Fixtures.open(name);
        OpenModel open = OpenModel.fixture(modelOf(name), dtype, 2);
        Pass pass = new Pass(open, OpenModel.sequences(golden))) {
      assertRelative(name + " logits", golden.doubles("logits_f64"), pass.logits(), ofLogits);
      for (String suffix : Fixtures.captures(golden, "logprob_f64(.*)")) {
        Scores scores = pass.score(temperatureOf(suffix));
        assertMeanAbs(name + " logprob" + suffix, golden.doubles("logprob_f64" + suffix), scores.logprob(), ofLogprob);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("files")
  void sequenceAloneGivesTheSameBitsAsInABatch(String name) throws IOException {
    for (DType dtype : TestBackends.storageTypes()) {
      try (SafetensorsFile golden = Fixtures.open(name); OpenModel open = OpenModel.fixture(modelOf(name), dtype, 2)) {
        List<int[]> sequences = OpenModel.sequences(golden);
        int[] starts = golden.ints("cu_seqlens");
        float[] together;
        try (Pass pass = new Pass(open, sequences)) {
          together = pass.logits();
        }
        int vocab = open.config().vocabSize();
        for (int b = 0; b < sequences.size(); b++) {
          try (Pass pass = new Pass(open, List.of(sequences.get(b)))) {
            float[] expected = Arrays.copyOfRange(together, starts[b] * vocab, starts[b + 1] * vocab);
            assertSameBits(name + " " + dtype + " sequence " + b, expected, pass.logits());
          }
        }
      }
    }
  }

  private static String modelOf(String file) {
    return file.substring(file.indexOf('/') + 1, file.length() - ".safetensors".length());
  }

  private static float temperatureOf(String suffix) {
    return suffix.isEmpty() ? 1 : Float.parseFloat(suffix.substring("_t".length()));
  }

  /** A training forward pass whose activations are still there. */
  private static final class Pass implements AutoCloseable {
    private final OpenModel open;
    private final List<int[]> sequences;
    private final Arena arena;
    private final Activations activations;

    Pass(OpenModel open, List<int[]> sequences) {
      this.open = open;
      this.sequences = sequences;
      int tokens = sequences.stream().mapToInt(s -> s.length).sum();
      arena = new Arena(open.backend(), CausalLm.trainingBytes(open.config(), open.weights().dtype(), tokens, Recompute.NONE)
          + LossHead.bytes(open.config(), open.weights().dtype(), tokens, tokens), "test", "nothing");
      PackedBatch batch = PackedBatch.of(open.backend(), arena, sequences, open.config().vocabSize());
      activations = open.model().forward(batch, arena, Recompute.NONE);
    }

    float[] logits() {
      Tensor normed = activations.normed();
      try (Tensor logits = open.backend().allocate(DType.F32, Layout.ROWS, normed.rows(), open.config().vocabSize())) {
        open.model().logits(logits, normed);
        return read(logits);
      }
    }

    Scores score(float temperature) {
      int[] first = new int[sequences.size()];
      Arrays.fill(first, 1);
      int[] count = sequences.stream().mapToInt(s -> s.length - 1).toArray();
      int[] targets = sequences.stream().flatMapToInt(s -> Arrays.stream(s, 1, s.length)).toArray();
      return new LossHead(open.model()).score(activations, targets, new Targets(first, count), temperature, arena);
    }

    float[] read(Tensor tensor) {
      float[] values = new float[Math.toIntExact(tensor.elements())];
      try (Tensor plain = open.backend().allocate(DType.F32, Layout.ROWS, tensor.shape())) {
        open.backend().cast(plain, tensor);
        open.backend().download(plain, values, 0);
      }
      return values;
    }

    @Override
    public void close() {
      arena.close();
    }
  }
}
