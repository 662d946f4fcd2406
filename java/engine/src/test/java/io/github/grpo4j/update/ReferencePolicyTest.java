package io.github.grpo4j.update;

import static io.github.grpo4j.testing.Accuracy.assertSameBits;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.FinishReason;
import io.github.grpo4j.grpo.loss.reference.Frozen;
import io.github.grpo4j.grpo.loss.reference.Mix;
import io.github.grpo4j.grpo.loss.reference.ReferenceRefresh;
import io.github.grpo4j.grpo.loss.reference.Reset;
import io.github.grpo4j.model.CausalLm.Recompute;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelConfig.Family;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.model.Parameter;
import io.github.grpo4j.model.RandomWeights;
import io.github.grpo4j.testing.OpenModel;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A reference model in both of its places, and following the policy. */
class ReferencePolicyTest {
  private static final ModelConfig CONFIG = OpenModel.config(Family.QWEN2, 32, 2, 4, 2, 8, 48, 64, true);

  @ParameterizedTest
  @EnumSource(value = DType.class, names = {"F32", "BF16"})
  void restingOnTheHostChangesNoBit(DType dtype) {
    try (Run run = new Run(dtype)) {
      List<float[]> onDevice;
      List<float[]> mixed;
      try (ReferencePolicy reference = run.reference(ReferenceWeights.onDevice(run.other(22)))) {
        onDevice = reference.logprobs(run.episodes);
        reference.refresh(run.open.weights(), 0.25);
        mixed = reference.logprobs(run.episodes);
      }
      try (ReferencePolicy reference = run.reference(ReferenceWeights.onHost(run.open.backend(), CONFIG, dtype, run.gradients));
          ModelWeights first = run.other(22)) {
        reference.change(present -> WeightMix.mix(run.open.backend(), present, first, 1));
        run.gradients.zero();
        assertSame(onDevice, reference.logprobs(run.episodes));
        run.gradients.zero();
        reference.refresh(run.open.weights(), 0.25);
        run.gradients.zero();
        assertSame(mixed, reference.logprobs(run.episodes));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(value = DType.class, names = {"F32", "BF16"})
  void aResetReferenceIsThePolicy(DType dtype) {
    try (Run run = new Run(dtype); ReferencePolicy reference = run.reference(ReferenceWeights.onDevice(run.other(22)))) {
      List<float[]> policy = run.pass.score(run.episodes.stream().map(StepTable::sampleOf).toList(), 1).stream()
          .map(Scores::logprob).toList();
      assertTrue(policy.get(0)[0] != reference.logprobs(run.episodes).get(0)[0]);
      reference.refresh(run.open.weights(), 1);
      assertSame(policy, reference.logprobs(run.episodes));
    }
  }

  @Test
  void aMixIsTheWeightedMeanOfAllWeights() {
    try (Run run = new Run(DType.F32); ModelWeights before = run.other(22);
        ReferencePolicy reference = run.reference(ReferenceWeights.onDevice(run.other(22)))) {
      reference.refresh(run.open.weights(), 0.6);
      reference.read(present -> {
        for (int i = 0; i < present.parameters().size(); i++) {
          float[] mixed = run.floats(present.parameters().get(i));
          float[] policy = run.floats(run.open.weights().parameters().get(i));
          float[] old = run.floats(before.parameters().get(i));
          for (int k = 0; k < mixed.length; k++) {
            assertEquals((float) (0.6 * policy[k] + (1 - 0.6) * old[k]), mixed[k], present.parameters().get(i).name());
          }
        }
      });
    }
  }

  @Test
  void aRefreshComesAfterTheRolloutInWhichItsStepFell() {
    ReferenceRefresh mix = new Mix(0.6, 8);
    assertFalse(mix.isDue(0, 7));
    assertTrue(mix.isDue(4, 8));
    assertFalse(mix.isDue(8, 12));
    assertTrue(mix.isDue(6, 10));
    assertTrue(mix.isDue(0, 40), "once, however many fell due");
    assertFalse(new Frozen().isDue(0, 1000));
    assertFalse(new Frozen().changes());
    assertEquals(1, new Reset().share());
    assertThrows(IllegalArgumentException.class, () -> new Mix(0, 8));
    assertThrows(IllegalArgumentException.class, () -> new Reset(0));
  }

  private static void assertSame(List<float[]> expected, List<float[]> actual) {
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      assertSameBits("episode " + i, expected.get(i), actual.get(i));
    }
  }

  private static final class Run implements AutoCloseable {
    private final DType dtype;
    private final OpenModel open;
    private final Gradients gradients;
    private final GradientPass pass;
    private final List<Episode> episodes = new ArrayList<>();

    Run(DType dtype) {
      this.dtype = dtype;
      open = OpenModel.random(CONFIG, dtype, 2, 21);
      gradients = new Gradients(open.backend(), open.weights());
      pass = new GradientPass(open.model(), 40, 40, Recompute.NONE);
      Random random = new Random(1);
      for (int i = 0; i < 4; i++) {
        int[] completion = random.ints(5 + 3 * i, 0, 64).toArray();
        float[] none = new float[completion.length];
        episodes.add(new Episode(0, i, new int[] {1, 2, 3}, completion, none, none, FinishReason.EOS, ""));
      }
    }

    ModelWeights other(long seed) {
      return RandomWeights.create(open.backend(), CONFIG, dtype, seed);
    }

    ReferencePolicy reference(ReferenceWeights weights) {
      return new ReferencePolicy(weights, pass, 40, 1);
    }

    /** As they are stored. */
    float[] floats(Parameter parameter) {
      Tensor weight = parameter.weight();
      ByteBuffer bytes = ByteBuffer.allocateDirect((int) weight.bytes()).order(ByteOrder.LITTLE_ENDIAN);
      open.backend().download(weight, 0, bytes);
      float[] values = new float[bytes.capacity() / Float.BYTES];
      bytes.flip().asFloatBuffer().get(values);
      return values;
    }

    @Override
    public void close() {
      pass.close();
      gradients.close();
      open.close();
    }
  }
}
