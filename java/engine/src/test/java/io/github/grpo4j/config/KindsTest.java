package io.github.grpo4j.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.grpo.credit.shaping.KlInReward;
import io.github.grpo4j.grpo.credit.shaping.Similarity;
import io.github.grpo4j.grpo.credit.weighting.Additive;
import io.github.grpo4j.grpo.loss.ImportanceLevel;
import io.github.grpo4j.grpo.loss.LossMetrics;
import io.github.grpo4j.grpo.loss.LossTerm;
import io.github.grpo4j.grpo.loss.Surrogate;
import io.github.grpo4j.grpo.loss.TokenTable;
import io.github.grpo4j.grpo.loss.surrogate.DynamicClip;
import io.github.grpo4j.grpo.loss.surrogate.PpoClip;
import io.github.grpo4j.grpo.loss.surrogate.Unclipped;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Choices by kind: three levels of keys, presets below them, flat names beside them, and where each value comes from. */
class KindsTest {
  /** A surrogate that a user may have written. */
  public record Scaled(double factor, ImportanceLevel level) implements Surrogate {
    public Scaled() {
      this(2, ImportanceLevel.TOKEN);
    }

    @Override
    public Value of(double ratio, double advantage, double oldLogprob) {
      return new Value(-factor * ratio * advantage, -factor * advantage, false, false);
    }
  }

  /** A term of the loss from outside. */
  public record Shorter(double coef) implements LossTerm {
    public Shorter() {
      this(1);
    }

    @Override
    public Scope scope() {
      return Scope.STEP;
    }

    @Override
    public void add(TokenTable table, int from, int to, LossMetrics metrics) {
      for (int t = from; t < to; t++) {
        table.dLogprob[t] += (float) (coef * table.weight[t]);
      }
    }
  }

  private static GrpoOptions grpo(String yaml, String... assignments) {
    return ConfigLoader.parse(yaml, "c.yaml", List.of(assignments)).grpo();
  }

  private static String error(String yaml, String... assignments) {
    return assertThrows(ConfigException.class, () -> grpo(yaml, assignments), yaml).getMessage();
  }

  @Test
  void aBareNameTakesTheKindsDefaults() {
    assertEquals(new DynamicClip(), grpo("grpo: {surrogate: dynamic}").surrogate());
    assertEquals(new DynamicClip(), grpo("", "grpo.surrogate=dynamic").surrogate());
  }

  @Test
  void keysOfAKindChangeItsDefaults() {
    DynamicClip expected = new DynamicClip(0.16, 0.28, 0.5, 0, 10);
    assertEquals(expected, grpo("grpo:\n  surrogate:\n    kind: dynamic\n    high: 0.28\n    cap: 0\n").surrogate());
    assertEquals(expected, grpo("grpo: {surrogate: dynamic}", "grpo.surrogate.high=0.28", "grpo.surrogate.cap=0").surrogate());
    assertEquals(new PpoClip(0.1, 0.2), grpo("grpo: {surrogate: {low: 0.1}}").surrogate(), "the default kind needs no name");
  }

  @Test
  void flatNamesAreKeysOfTheKind() {
    assertEquals(new PpoClip(0.1, 0.3, 4, 3, ImportanceLevel.TOKEN),
        grpo("grpo: {clip_low: 0.1, clip_high: 0.3, ratio_cap: 4, dual_clip: 3}").surrogate());
    assertEquals(new Unclipped(), grpo("grpo: {clipping: none, clip_low: 0.1}").surrogate(), "a kind without the key leaves it out");
  }

  @Test
  void anotherKindForgetsTheKeysOfLowerLayers() {
    assertEquals(new DynamicClip(), grpo("grpo: {surrogate: {kind: ppo, low: 0.1, high: 0.3}}", "grpo.surrogate=dynamic").surrogate());
  }

  @Test
  void listsHoldKindsInOrder() {
    GrpoOptions grpo = grpo("grpo:\n  shaping:\n    - similarity\n    - {kind: kl, coef: 0.5}\n");
    assertInstanceOf(Similarity.class, grpo.shaping().get(0));
    assertEquals(new KlInReward(0.5), grpo.shaping().get(1));
    assertEquals(2, grpo("", "grpo.shaping=[similarity, {kind: kl}]").shaping().size());
  }

  @Test
  void furtherTermsAreTermsOfTheLoss() {
    GrpoOptions grpo = grpo("grpo: {entropy_coef: 0.1, terms: [{kind: %s, coef: 3}]}".formatted(Shorter.class.getName()));
    assertEquals(new Shorter(3), grpo.loss().terms().get(2), "after the policy's and the entropy's");
    assertEquals(LossTerm.Scope.STEP, grpo.loss().scope());
  }

  @Test
  void aClassNameIsAKind() {
    String name = Scaled.class.getName();
    assertEquals(new Scaled(3, ImportanceLevel.TOKEN), grpo("grpo: {surrogate: {kind: " + name + ", factor: 3}}").surrogate());
    RunConfig config = ConfigLoader.parse("", "none", List.of("grpo.surrogate=" + name, "grpo.surrogate.level=sequence"));
    assertEquals(new Scaled(2, ImportanceLevel.SEQUENCE), config.grpo().surrogate());
    assertEquals(config, ConfigLoader.parse(ConfigLoader.toYaml(config), "printed", List.of()));
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
      "grpo:\\n  surrogate: dynamc | c.yaml:2: grpo.surrogate is \"dynamc\"; it must be one of none, ppo, dynamic",
      "grpo:\\n  surrogate:\\n    kind: ppo\\n    lo: 1 | c.yaml:4: unknown key \"grpo.surrogate.lo\"; did you mean low?",
      "grpo:\\n  surrogate:\\n    kind: ppo\\n    cap: 1 | c.yaml:4: unknown key \"grpo.surrogate.cap\"",
      "grpo:\\n  surrogate:\\n    kind: ppo\\n    low: 1.5 | c.yaml:4: grpo.surrogate.low is 1.5; it must be from 0 to 1",
      "grpo:\\n  clip_low: 1.5 | c.yaml:2: grpo.clip_low (grpo.surrogate.low) is 1.5; it must be from 0 to 1",
      "grpo:\\n  surrogate: {low: x} | c.yaml:2: grpo.surrogate.low is \"x\"; it must be a number",
      "grpo:\\n  surrogate: {level: word} | c.yaml:2: grpo.surrogate.level is \"word\"; it must be one of token, sequence",
      "grpo:\\n  surrogate: [ppo] | c.yaml:2: grpo.surrogate is the name of a kind",
      "grpo:\\n  shaping: similarity | c.yaml:2: grpo.shaping is a list",
      "grpo:\\n  shaping:\\n    - kind: kl\\n      coef: -1 | grpo.shaping",
      "grpo:\\n  shaping:\\n    - coef: 1 | c.yaml:3: grpo.shaping[0] has no kind",
      "grpo:\\n  surrogate: java.lang.String | c.yaml:2: grpo.surrogate: the class java.lang.String is no",
      "grpo:\\n  surrogate: no.such.Kind | c.yaml:2: grpo.surrogate is \"no.such.Kind\"; it must be one of",
      "grpo:\\n  kl: {kind: k3, coef: -1} | c.yaml:2: grpo.kl.coef is -1.0; it must be 0 or more",
      "rollout:\\n  temperature: {a: 1} | c.yaml:2: rollout.temperature is one value",
      "preset: dapoo | c.yaml:1: preset is \"dapoo\"; the presets are grpo_zero"
  })
  void mistakesAreNamedWithTheirPlace(String yaml, String expected) {
    String message = error(yaml.replace("\\n", "\n"));
    assertTrue(message.startsWith(expected), message);
  }

  static List<String> presets() {
    return Presets.names();
  }

  @ParameterizedTest
  @MethodSource("presets")
  void everyPresetLoads(String preset) {
    LoadedConfig loaded = ConfigLoader.read("preset: " + preset, "c.yaml", List.of());
    assertTrue(loaded.origins().values().stream().anyMatch(origin -> origin.startsWith("preset " + preset)), "" + loaded.origins());
    assertTrue(Presets.yaml(preset).startsWith("# "), "a preset says what it is");
  }

  @Test
  void aPresetLiesBelowTheUsersKeys() {
    GrpoOptions grpo = grpo("preset: original_all\ngrpo: {weighting: {max: 3}}", "grpo.overlong=mask");
    assertEquals(3, ((Additive) grpo.weighting()).max());
    assertEquals(0.5, ((Additive) grpo.weighting()).min());
    assertEquals("MaskTruncated", grpo.overlong().getClass().getSimpleName());
  }

  @Test
  void aPresetOfTheCommandLineLiesAboveTheFile() {
    GrpoOptions grpo = grpo("grpo: {overlong: keep, entropy_coef: 0.01}", "preset=original_all", "grpo.weighting=focal");
    assertEquals("DropTruncated", grpo.overlong().getClass().getSimpleName());
    assertEquals("Focal", grpo.weighting().getClass().getSimpleName());
    assertEquals(0.01, grpo.entropyCoef(), "what the preset says nothing of stays");
  }

  @Test
  void everyValueKnowsWhereItComesFrom() {
    LoadedConfig loaded = ConfigLoader.read("preset: dr_grpo\ngrpo:\n  clip_high: 0.28\n", "c.yaml", List.of("training.seed=7"));
    assertEquals("c.yaml:3", loaded.origins().get("grpo.surrogate.high"));
    assertTrue(loaded.origins().get("grpo.advantage.kind").startsWith("preset dr_grpo"));
    assertEquals("--set training.seed=7", loaded.origins().get("training.seed"));
    String printed = ConfigLoader.toAnnotatedYaml(loaded);
    assertTrue(printed.lines().anyMatch(line -> line.matches("    high: 0\\.28 +# c\\.yaml:3")), printed);
    assertTrue(printed.lines().anyMatch(line -> line.matches("  seed: 7 +# --set training\\.seed=7")), printed);
    assertTrue(printed.lines().anyMatch(line -> line.matches("  temperature: 1\\.0 +# default")), printed);
    assertEquals(loaded.config(), ConfigLoader.parse(printed, "printed", List.of()));
  }
}
