package io.github.grpo4j.update;

import static io.github.grpo4j.testing.Accuracy.assertMaxAbs;
import static io.github.grpo4j.testing.Accuracy.assertRelative;
import static io.github.grpo4j.update.BackwardFixtureTest.everyRow;
import static io.github.grpo4j.update.BackwardFixtureTest.info;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.FinishReason;
import io.github.grpo4j.grpo.loss.ImportanceLevel;
import io.github.grpo4j.grpo.loss.KlPenalty;
import io.github.grpo4j.grpo.loss.LossPipeline;
import io.github.grpo4j.grpo.loss.aggregation.TokenMean;
import io.github.grpo4j.grpo.loss.kl.K3;
import io.github.grpo4j.grpo.loss.surrogate.PpoClip;
import io.github.grpo4j.grpo.loss.term.KlTerm;
import io.github.grpo4j.grpo.loss.term.PolicyTerm;
import io.github.grpo4j.model.CausalLm.Recompute;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.model.safetensors.SafetensorsFile;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.testing.Fixtures;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.OpenModel;
import io.github.grpo4j.update.GradientPass.Sample;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Several optimizer steps in a row against PyTorch's: supervised, and the whole GRPO update of TRL. */
@Tag("fixtures")
class TrainingFixtureTest {
  static List<String> supervised() {
    return Fixtures.find("train", ".+\\.sft\\d+\\.safetensors");
  }

  static List<String> grpo() {
    return Fixtures.find("train", ".+\\.grpo\\d+\\.safetensors");
  }

  @ParameterizedTest
  @MethodSource("supervised")
  void supervisedStepsFollowTheReference(String name) throws IOException {
    try (SafetensorsFile golden = Fixtures.open(name); Run run = new Run(golden, OpenModel.sequences(golden))) {
      List<int[]> sequences = OpenModel.sequences(golden);
      int targets = sequences.stream().mapToInt(s -> s.length - 1).sum();
      List<Sample> samples = sequences.stream().map(sequence -> new Sample(sequence, 1)).toList();
      float[] derivatives = new float[targets];
      Arrays.fill(derivatives, -1f / targets);
      double[] losses = golden.doubles("losses");
      double[] gradNorms = golden.doubles("grad_norms");
      for (int step = 0; step < losses.length; step++) {
        run.gradients.zero();
        LinearLoss linear = new LinearLoss(run.open.backend(), derivatives, 1);
        run.pass.backward(samples, linear, run.gradients);
        double loss = -Arrays.stream(BackwardFixtureTest.doubles(linear.logprob())).sum() / targets;
        AdamW.StepResult result = run.optimizer.step(run.gradients, run.info.path("lr").asDouble());
        assertRelative(name + " loss of step " + step, new double[] {losses[step]}, new double[] {loss}, 1e-4);
        assertRelative(name + " grad_norm of step " + step, new double[] {gradNorms[step]}, new double[] {result.gradNorm()}, 1e-3);
      }
      assertEquals(losses.length, run.optimizer.stepCount());
      run.assertFinalWeights(golden);
    }
  }

  @ParameterizedTest
  @MethodSource("grpo")
  void grpoStepsFollowTheReference(String name) throws IOException {
    JsonNode json = Fixtures.json(name.replace(".safetensors", ".json"));
    try (SafetensorsFile golden = Fixtures.open(name); Run run = new Run(golden, sequences(episodes(golden)))) {
      JsonNode config = json.path("config");
      assertEquals("dapo", config.path("loss_type").asText(), "the loss below is that of this loss type");
      K3 kl = new K3(config.path("beta").asDouble(), config.path("use_bias_correction_kl").asBoolean(), KlPenalty.Where.LOSS);
      LossPipeline loss = new LossPipeline(
          List.of(new PolicyTerm(new PpoClip(config.path("epsilon").asDouble(), config.path("epsilon_high").asDouble())),
              new KlTerm(kl, ImportanceLevel.TOKEN)), new TokenMean());
      float temperature = (float) config.path("temperature").asDouble();
      PolicyUpdate update = new PolicyUpdate(run.pass, run.gradients, run.optimizer, loss, temperature, 0);
      List<Episode> episodes = episodes(golden);
      List<float[]> reference = episodes.stream().map(Episode::logprobs).toList();
      double[] advantages = golden.doubles("advantages");
      for (int step = 0; step < json.path("iterations").size(); step++) {
        String what = name + " step " + step + " ";
        List<Scores> scores = run.pass.score(episodes.stream().map(StepTable::sampleOf).toList(), temperature);
        for (int b = 0; b < scores.size(); b++) {
          int length = scores.get(b).logprob().length;
          assertMaxAbs(what + "logps", row(golden, "it" + step + ".logps", b, length), scores.get(b).logprob(), 1e-4);
          assertMaxAbs(what + "entropy", row(golden, "it" + step + ".entropy", b, length), scores.get(b).entropy(), 1e-4);
        }
        Experience experience = Experience.of(episodes, advantages).withReference(reference);
        PolicyUpdate.Result result = update.step(experience, json.path("lr").asDouble(), step == 0);
        Map<String, Double> metrics = result.metrics().toMap();
        JsonNode expected = json.path("iterations").get(step);
        expected.fields().forEachRemaining(entry -> {
          String key = entry.getKey();
          double value = key.equals("grad_norm") ? result.optimizer().gradNorm() : metrics.get(key);
          // Clip ratios are counts: one token on the wrong side would show.
          double tolerance = key.equals("grad_norm") ? 1e-3 * entry.getValue().asDouble() : key.startsWith("clip") ? 1e-6 : 1e-4;
          assertEquals(entry.getValue().asDouble(), value, tolerance, what + key);
        });
        assertEquals(step != 0, result.mismatch().isEmpty(), "log-probs are compared in the first update only");
        assertTrue(step != 0 || result.mismatch().max() < 1e-4, "the stored log-probs are those of the initial weights");
      }
      run.assertFinalWeights(golden);
    }
  }

  private static List<Episode> episodes(SafetensorsFile golden) throws IOException {
    int[] promptLengths = golden.ints("prompt_lens");
    int[] answerLengths = golden.ints("completion_lens");
    List<int[]> prompts = OpenModel.split(golden.ints("prompt_ids"), offsets(promptLengths));
    List<int[]> completions = OpenModel.split(golden.ints("completion_ids"), offsets(answerLengths));
    List<Episode> episodes = new ArrayList<>();
    for (int b = 0; b < prompts.size(); b++) {
      double[] old = row(golden, "old_logps", b, answerLengths[b]);
      float[] logprobs = new float[old.length];
      for (int t = 0; t < old.length; t++) {
        logprobs[t] = (float) old[t];
      }
      episodes.add(new Episode(b, 0, prompts.get(b), completions.get(b), logprobs, new float[old.length], FinishReason.LENGTH, ""));
    }
    return episodes;
  }

  private static List<int[]> sequences(List<Episode> episodes) {
    return episodes.stream().map(StepTable::sampleOf).map(Sample::ids).toList();
  }

  private static int[] offsets(int[] lengths) {
    int[] offsets = new int[lengths.length + 1];
    for (int i = 0; i < lengths.length; i++) {
      offsets[i + 1] = offsets[i] + lengths[i];
    }
    return offsets;
  }

  private static double[] row(SafetensorsFile golden, String name, int row, int length) throws IOException {
    NdArray padded = Fixtures.array(golden, name);
    return Arrays.copyOfRange(padded.values(), row * padded.columns(), row * padded.columns() + length);
  }

  /** A model with optimizer and gradient pass as the file's metadata ask for. */
  private static final class Run implements AutoCloseable {
    private final JsonNode info;
    private final OpenModel open;
    private final Gradients gradients;
    private final GradientPass pass;
    private final AdamW optimizer;

    Run(SafetensorsFile golden, List<int[]> sequences) throws IOException {
      info = info(golden);
      open = OpenModel.fixture(info.path("model").asText(), DType.F32, 2);
      gradients = new Gradients(open.backend(), open.weights());
      pass = BackwardFixtureTest.inMicroBatches(open, sequences, Recompute.LAYER);
      optimizer = new AdamW(open.backend(), open.weights(), new AdamW.Settings(info.path("betas").get(0).asDouble(),
          info.path("betas").get(1).asDouble(), info.path("eps").asDouble(), info.path("weight_decay").asDouble(), true, clip()));
    }

    private double clip() {
      return info.path("clip").asDouble();
    }

    /** The distance of all weights together, in units of how far training moved them. */
    void assertFinalWeights(SafetensorsFile golden) throws IOException {
      int stride = info.path("row_stride").asInt(1);
      double sum = 0;
      for (Map.Entry<String, NdArray> entry : open.readWeights().entrySet()) {
        NdArray found = entry.getValue();
        double[] values = found.shape().length == 2 ? everyRow(found, stride) : found.values();
        double[] expected = golden.doubles("final." + entry.getKey());
        assertEquals(expected.length, values.length, entry.getKey());
        for (int i = 0; i < values.length; i++) {
          sum += (values[i] - expected[i]) * (values[i] - expected[i]);
        }
      }
      double distance = Math.sqrt(sum) / info.path("update_norm").asDouble();
      assertTrue(distance < 1e-2, () -> golden.path() + ": final weights are " + distance + " updates away from the reference");
    }

    @Override
    public void close() {
      optimizer.close();
      pass.close();
      gradients.close();
      open.close();
    }
  }
}
