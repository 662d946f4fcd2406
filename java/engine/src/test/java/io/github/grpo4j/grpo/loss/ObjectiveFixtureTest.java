package io.github.grpo4j.grpo.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.grpo4j.grpo.loss.aggregation.Constant;
import io.github.grpo4j.grpo.loss.aggregation.SequenceMean;
import io.github.grpo4j.grpo.loss.aggregation.SequenceSum;
import io.github.grpo4j.grpo.loss.aggregation.TokenMean;
import io.github.grpo4j.grpo.loss.kl.K3;
import io.github.grpo4j.grpo.loss.surrogate.PpoClip;
import io.github.grpo4j.model.safetensors.SafetensorsFile;
import io.github.grpo4j.testing.Accuracy;
import io.github.grpo4j.testing.Fixtures;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** Losses, gradients and metrics of TRL's own trainer. */
@Tag("fixtures")
class ObjectiveFixtureTest {
  /** Objectives that this engine does not have: their cases are left out. */
  private static final Set<String> OTHER_LOSS_TYPES = Set.of("cispo", "sapo", "vespo");

  private final JsonNode cases = Fixtures.json("grpo/losses.json").get("cases");

  ObjectiveFixtureTest() throws IOException {}

  private static boolean exists(JsonNode config) {
    return !OTHER_LOSS_TYPES.contains(config.get("loss_type").asText())
        && config.get("top_entropy_quantile").asDouble() == 1
        && config.get("off_policy_mask_threshold").isNull();
  }

  @TestFactory
  List<DynamicTest> cases() {
    List<DynamicTest> tests = new ArrayList<>();
    for (Iterator<String> names = cases.fieldNames(); names.hasNext(); ) {
      String name = names.next();
      if (exists(cases.get(name).get("config"))) {
        tests.add(DynamicTest.dynamicTest(name, () -> check(name)));
      }
    }
    assertFalse(tests.isEmpty());
    return tests;
  }

  private void check(String name) throws IOException {
    String set = name.substring(0, name.indexOf('.'));
    try (SafetensorsFile tensors = Fixtures.open("grpo/losses_" + set + ".safetensors")) {
      check(name, tensors);
    }
  }

  private void check(String name, SafetensorsFile tensors) throws IOException {
    JsonNode config = cases.get(name).get("config");
    int rows = Math.toIntExact(tensors.info("in.new").shape()[0]);
    int width = Math.toIntExact(tensors.info("in.new").shape()[1]);

    LossPipeline pipeline = pipeline(config);
    int[] cuSeqlens = new int[rows + 1];
    for (int b = 0; b <= rows; b++) {
      cuSeqlens[b] = b * width;
    }
    boolean[] mask = mask(tensors, config.get("use_tool_mask").asBoolean());
    float[] weight = weights(config, pipeline.aggregation(), cuSeqlens, mask);
    TokenTable table = new TokenTable(cuSeqlens, config.get("on_policy").asBoolean() ? null : tensors.floats("in.old"),
        tensors.floats("in.ref"), advantages(tensors, config, cuSeqlens), weight, false);
    System.arraycopy(tensors.floats("in.new"), 0, table.newLogprob, 0, table.tokens());
    System.arraycopy(tensors.floats("in.entropy"), 0, table.entropy, 0, table.tokens());
    LossMetrics result = pipeline.evaluate(table);

    assertEquals(tensors.doubles(name + ".loss")[0], result.loss(), 1e-5, "loss");
    double entropyCoef = config.get("entropy_coef").asDouble();
    double[] tokenLoss = tensors.doubles(name + ".per_token_loss");
    int perLoss = rows * width / tokenLoss.length;
    for (int i = 0; i < rows * width; i++) {
      if (mask[i]) {
        // Without the bonus, which the reference subtracts from the sum.
        assertEquals(tokenLoss[i / perLoss], table.tokenLoss[i] + entropyCoef * table.entropy[i], 1e-5, "loss of token " + i);
      }
    }
    Accuracy.assertRelative("dnew", tensors.doubles(name + ".dnew"), table.dLogprob, 1e-5);
    if (tensors.contains(name + ".dentropy")) {
      Accuracy.assertRelative("dentropy", tensors.doubles(name + ".dentropy"), table.dEntropy, 1e-5);
    }
    JsonNode metrics = cases.get(name).get("metrics");
    Map<String, Double> found = result.toMap();
    for (Iterator<String> keys = metrics.fieldNames(); keys.hasNext(); ) {
      String key = keys.next();
      if (key.equals("entropy_coef")) {
        assertEquals(metrics.get(key).asDouble(), entropyCoef);
      } else {
        assertTrue(found.containsKey(key), "metric " + key + " is missing");
        assertEquals(metrics.get(key).asDouble(), found.get(key), 1e-6, key);
      }
    }
  }

  private static LossPipeline pipeline(JsonNode config) {
    double epsilon = config.get("epsilon").asDouble();
    double epsilonHigh = config.get("epsilon_high").isNull() ? epsilon : config.get("epsilon_high").asDouble();
    double delta = config.get("delta").isNull() ? 0 : config.get("delta").asDouble();
    double beta = config.get("beta").asDouble();
    ImportanceLevel level = ImportanceLevel.valueOf(config.get("importance_sampling_level").asText().toUpperCase(Locale.ROOT));
    return LossTables.pipeline(new PpoClip(epsilon, epsilonHigh, delta, 0, level),
        beta == 0 ? null : new K3(beta, config.get("use_bias_correction_kl").asBoolean(), KlPenalty.Where.LOSS),
        config.get("entropy_coef").asDouble(),
        switch (config.get("loss_type").asText()) {
          case "grpo" -> new SequenceMean();
          case "bnpo", "dapo" -> new TokenMean();
          case "dr_grpo" -> new Constant(config.get("max_completion_length").asInt());
          case "luspo" -> new SequenceSum();
          default -> throw new IllegalArgumentException(config.get("loss_type").asText());
        });
  }

  /**
   * TRL evaluates one of several micro-batches: the whole step is that many times as large. DAPO's token count may be given,
   * and then belongs to {@code steps_per_generation} micro-batches.
   */
  private static float[] weights(JsonNode config, Aggregation aggregation, int[] cuSeqlens, boolean[] mask) {
    StepTotals local = StepTotals.of(cuSeqlens, mask, null, 0);
    long accumulation = config.get("gradient_accumulation").asLong();
    boolean given = config.get("loss_type").asText().equals("dapo") && config.get("num_items_in_batch").isNumber();
    long tokens = given ? config.get("num_items_in_batch").asLong() : local.tokens();
    StepTotals step = new StepTotals(local.sequences() * accumulation, tokens * accumulation, local.bucketTokens(), 0);
    float[] weights = step.weights(aggregation, cuSeqlens, mask, null);
    for (int t = 0; given && t < weights.length; t++) {
      weights[t] *= config.get("steps_per_generation").asInt();
    }
    return weights;
  }

  private static boolean[] mask(SafetensorsFile tensors, boolean toolMask) throws IOException {
    int[] completion = tensors.ints("in.mask");
    int[] tool = tensors.ints("in.tool_mask");
    boolean[] mask = new boolean[completion.length];
    for (int i = 0; i < mask.length; i++) {
      mask[i] = completion[i] != 0 && (!toolMask || tool[i] != 0);
    }
    return mask;
  }

  /** A ready-made importance weight scales the policy loss and not the KL: it belongs to the advantage. */
  private static float[] advantages(SafetensorsFile tensors, JsonNode config, int[] cuSeqlens) throws IOException {
    double[] ofSequence = tensors.doubles("in.advantages");
    float[] advantages = new float[cuSeqlens[ofSequence.length]];
    for (int b = 0; b < ofSequence.length; b++) {
      Arrays.fill(advantages, cuSeqlens[b], cuSeqlens[b + 1], (float) ofSequence[b]);
    }
    if (!config.get("use_vllm_is").isNull()) {
      double[] importance = tensors.doubles("in.is_" + config.get("use_vllm_is").asText());
      int perRow = advantages.length / importance.length;
      for (int i = 0; i < advantages.length; i++) {
        advantages[i] *= (float) importance[i / perRow];
      }
    }
    return advantages;
  }
}
