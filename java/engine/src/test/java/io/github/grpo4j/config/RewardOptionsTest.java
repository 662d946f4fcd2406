package io.github.grpo4j.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.reward.Completion;
import io.github.grpo4j.reward.RewardFunction;
import io.github.grpo4j.reward.builtin.Boxed;
import io.github.grpo4j.reward.builtin.Gsm8kLine;
import io.github.grpo4j.reward.builtin.PenaltyFixed;
import io.github.grpo4j.reward.builtin.RewardFunctions;
import io.github.grpo4j.reward.builtin.ThinkAnswer;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class RewardOptionsTest {
  private static final List<String> RESPONSES = List.of("", "4", "<think>2+2</think>\n<answer>4</answer>", "2+2</think>\n<answer>5</answer>",
      "<answer>4</answer>", "so \\boxed{4}", "x\n#### 4", "x\n#### 7", "<think>2</think>");

  /** A function of someone's own, as a class on the class path. */
  public record Brief(int limit) implements RewardFunction {
    public Brief() {
      this(3);
    }

    @Override
    public Reward score(Completion completion) {
      return Reward.of(completion.tokens() <= limit ? 1 : 0);
    }
  }

  private static RewardOptions parse(String yaml, String... assignments) {
    return ConfigLoader.parse(yaml, "test.yaml", List.of(assignments)).reward();
  }

  static List<String> kinds() {
    return RewardFunctions.REGISTRY.names();
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void weightsOfTheComponentsGiveTheTotalToTheBit(String kind) {
    RewardOptions options = parse("reward: {function: " + kind + "}");
    for (String response : RESPONSES) {
      Reward reward = options.set().score(new Completion("2+2", "#### 4", "", response, true, 5));
      double total = 0;
      for (Map.Entry<String, Double> weight : options.set().weights().entrySet()) {
        total += weight.getValue() * reward.components().get(weight.getKey());
      }
      assertEquals(reward.total(), total, kind + " of " + response);
    }
  }

  @Test
  void flatKeysNameTheFunctionToo() {
    assertEquals(new ThinkAnswer(0.1), parse("model: {path: x}").function());
    assertEquals(new Gsm8kLine(0.3), parse("reward: {kind: gsm8k, format_weight: 0.3}").function());
    assertEquals(new PenaltyFixed(), parse("reward: {kind: penalty_fixed, format_weight: 0.3}").function(), "a kind without that key");
    assertEquals(new Boxed(0.2), parse("reward: {function: {kind: boxed, format_weight: 0.2}}").function());
    String message = assertThrows(ConfigException.class, () -> parse("reward:\n  format_weight: -1")).getMessage();
    assertTrue(message.startsWith("test.yaml:2: reward.format_weight"), message);
  }

  @Test
  void othersAreNamedByTheirKindsOrByTheUser() {
    RewardOptions options = parse("""
        reward:
          function: gsm8k
          others:
            - {function: boxed, weight: 0.5}
            - {name: short, function: {kind: %s, limit: 7}, weight: 0.25}
          timeout_s: 2.5
        """.formatted(Brief.class.getName()));
    assertEquals(List.of(new RewardOptions.Other("", new Boxed(), 0.5), new RewardOptions.Other("short", new Brief(7), 0.25)), options.others());
    assertEquals(List.of("answer", "format", "boxed/answer", "boxed/format", "short"), List.copyOf(options.set().weights().keySet()));
    assertEquals(0.05, options.set().weights().get("boxed/format"), 1e-12);
    Reward reward = options.set().score(new Completion("2+2", "4", "", "\\boxed{4}\n#### 4", true, 5));
    assertEquals(1.1 + 0.55 + 0.25, reward.total(), 1e-12);
    String yaml = ConfigLoader.toYaml(ConfigLoader.parse("reward: {others: [{function: boxed}]}", "test", List.of()));
    assertEquals(List.of(new RewardOptions.Other("", new Boxed(), 1)), parse(yaml).others(), yaml);
  }

  @Test
  void aClassOfOnesOwnIsTheFunction() {
    RewardOptions options = parse("reward: {function: " + Brief.class.getName() + "}");
    assertEquals(List.of("brief"), List.copyOf(options.set().weights().keySet()));
  }

  @Test
  void faultsSayWhereTheyStand() {
    for (String[] fault : new String[][] {
        {"reward: {others: [{function: gsm8k, name: answer}, {function: boxed}, {function: boxed}]}", "the name \"boxed/answer\" of a reward is taken"},
        {"reward: {function: nobody}", "test.yaml:1: reward.function is \"nobody\"; it must be one of think_answer"},
        {"reward: {function: java.lang.String}", "the class java.lang.String is no io.github.grpo4j.reward.RewardFunction"},
        {"reward: {timeout_s: 0}", "test.yaml:1: reward.timeout_s is 0"},
        {"reward: {others: [{function: boxed, wait: 0.5}]}", "unknown key \"reward.others[0].wait\""},
        {"reward: {others: [boxed]}", "reward.others[0] is a group of keys"}}) {
      String message = assertThrows(ConfigException.class, () -> parse(fault[0]), fault[0]).getMessage();
      assertTrue(message.contains(fault[1]), message);
    }
  }
}
