package io.github.grpo4j.model;

import static io.github.grpo4j.testing.Accuracy.assertSameBits;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.CausalLm.Recompute;
import io.github.grpo4j.model.HiddenStates.Span;
import io.github.grpo4j.model.ModelConfig.Family;
import io.github.grpo4j.testing.OpenModel;
import io.github.grpo4j.testing.TestBackends;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class HiddenStatesTest {
  private static final int LONGEST = 70;
  private static final ModelConfig QWEN = OpenModel.config(Family.QWEN2, 32, 3, 4, 2, 8, 48, 96, true);
  /** Heads together far wider than the MLP: the other extreme of what a pass needs memory for. */
  private static final ModelConfig WIDE_HEADS = OpenModel.config(Family.LLAMA, 16, 2, 6, 3, 32, 8, 64, false);

  @ParameterizedTest
  @EnumSource(value = DType.class, names = {"F32", "BF16"})
  void stoppingAtADepthGivesTheResidualStreamThereToTheBit(DType dtype) {
    for (ModelConfig config : List.of(QWEN, WIDE_HEADS)) {
      try (OpenModel open = OpenModel.random(config, dtype, 2, 5)) {
        List<int[]> sequences = spans(config).stream().map(Span::ids).toList();
        List<float[]> full = new ArrayList<>();
        try (Arena arena = new Arena(open.backend(), CausalLm.trainingBytes(config, dtype, tokens(sequences), Recompute.NONE), "test", "-")) {
          PackedBatch batch = PackedBatch.of(open.backend(), arena, sequences, config.vocabSize());
          for (Tensor residual : open.model().forward(batch, arena, Recompute.NONE).residuals()) {
            full.add(read(open, residual));
          }
        }
        assertEquals(config.layers() + 1, full.size());
        try (Arena arena = new Arena(open.backend(), CausalLm.hiddenBytes(config, dtype, tokens(sequences)), "test", "-")) {
          PackedBatch batch = PackedBatch.of(open.backend(), arena, sequences, config.vocabSize());
          for (int depth = 0; depth <= config.layers(); depth++) {
            long mark = arena.mark();
            assertSameBits(dtype + " depth " + depth, full.get(depth), read(open, open.model().hidden(batch, depth, arena)));
            arena.reset(mark);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(value = DType.class, names = {"F32", "BF16"})
  void featuresAreTheSameBitsInEveryPacking(DType dtype) {
    for (ModelConfig config : List.of(QWEN, WIDE_HEADS)) {
      try (OpenModel open = OpenModel.random(config, dtype, 2, 5)) {
        float[][] mean = features(open, 1, false);
        float[][] last = features(open, 1, true);
        for (int budget : TestBackends.sized(new int[] {71, 100, 10_000}, new int[] {100})) {
          float[][] packedMean = features(open, budget, false);
          float[][] packedLast = features(open, budget, true);
          for (int i = 0; i < mean.length; i++) {
            assertSameBits("mean " + i + ", budget " + budget, mean[i], packedMean[i]);
            assertSameBits("last " + i + ", budget " + budget, last[i], packedLast[i]);
          }
        }
      }
    }
  }

  /** A feature is the mean of rows of the stream, context left out; one token is itself. */
  @Test
  void pooledFeaturesAreMeansAndLastRowsOfTheStream() {
    try (OpenModel open = OpenModel.random(QWEN, DType.F32, 1, 5)) {
      List<Span> spans = spans(QWEN);
      float[][] mean = features(open, 100, false);
      float[][] last = features(open, 100, true);
      for (int i = 0; i < spans.size(); i++) {
        Span span = spans.get(i);
        float[] stream;
        try (Arena arena = new Arena(open.backend(), CausalLm.hiddenBytes(QWEN, DType.F32, span.ids().length), "test", "-")) {
          PackedBatch batch = PackedBatch.of(open.backend(), arena, List.of(span.ids()), QWEN.vocabSize());
          stream = read(open, open.model().hidden(batch, 1, arena));
        }
        int width = QWEN.hiddenSize();
        for (int h = 0; h < width; h++) {
          double sum = 0;
          for (int t = span.from(); t < span.ids().length; t++) {
            sum += stream[t * width + h];
          }
          assertEquals(sum / (span.ids().length - span.from()), mean[i][h], 1e-7, "mean of sequence " + i);
          assertEquals(stream[(span.ids().length - 1) * width + h], last[i][h], 0, "last of sequence " + i);
        }
      }
      assertTrue(mean[0][0] != last[0][0], "they are different features");
    }
  }

  @Test
  void memoryIsGivenBackAfterAMistake() {
    try (OpenModel open = OpenModel.random(QWEN, DType.BF16, 1, 5);
        Arena arena = new Arena(open.backend(), HiddenStates.bytes(QWEN, DType.BF16, 20), "test", "-")) {
      HiddenStates states = new HiddenStates(open.model(), arena, 20);
      for (int i = 0; i < 20; i++) {
        assertThrows(IllegalArgumentException.class, () -> states.mean(List.of(new Span(new int[] {1, 96}, 0)), 1), "no such token");
        assertThrows(IllegalArgumentException.class, () -> states.mean(List.of(new Span(new int[] {1}, 0)), 4), "no such depth");
        assertThrows(IllegalArgumentException.class, () -> new Span(new int[] {1}, 1));
      }
      assertEquals(1, states.mean(List.of(new Span(new int[20], 19)), 3).length);
      assertEquals(0, arena.mark());
      assertEquals(0, states.mean(List.of(), 1).length);
    }
  }

  @Test
  void aTrainingPassHasRoomForIt() {
    for (ModelConfig config : List.of(QWEN, WIDE_HEADS)) {
      for (DType dtype : List.of(DType.F32, DType.BF16)) {
        assertTrue(HiddenStates.bytes(config, dtype, 100) <= CausalLm.trainingBytes(config, dtype, 100, Recompute.LAYER));
      }
    }
  }

  private static float[][] features(OpenModel open, int budget, boolean last) {
    ModelConfig config = open.config();
    DType dtype = open.weights().dtype();
    List<Span> spans = spans(config);
    int most = Math.min(Math.max(budget, LONGEST), tokens(spans.stream().map(Span::ids).toList()));
    try (Arena arena = new Arena(open.backend(), HiddenStates.bytes(config, dtype, most), "test", "-")) {
      HiddenStates states = new HiddenStates(open.model(), arena, budget);
      return last ? states.last(spans, 1) : states.mean(spans, 1);
    }
  }

  /** Ragged; one of a single token, and one of which only the last token is pooled. */
  private static List<Span> spans(ModelConfig config) {
    Random random = new Random(9);
    List<Span> spans = new ArrayList<>();
    for (int length : TestBackends.sized(new int[] {33, 1, LONGEST, 5, 64, 2}, new int[] {7, 1, 20})) {
      spans.add(new Span(random.ints(length, 0, config.vocabSize()).toArray(), length == 5 ? 4 : length / 3));
    }
    return spans;
  }

  private static int tokens(List<int[]> sequences) {
    return sequences.stream().mapToInt(ids -> ids.length).sum();
  }

  private static float[] read(OpenModel open, Tensor tensor) {
    float[] values = new float[Math.toIntExact(tensor.elements())];
    try (Tensor wide = open.backend().allocate(DType.F32, Layout.ROWS, tensor.shape())) {
      open.backend().cast(wide, tensor);
      open.backend().download(wide, values, 0);
    }
    return values;
  }
}
