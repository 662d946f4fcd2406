package io.github.grpo4j.config;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.grpo4j.config.RewardOptions.Kind;
import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.reward.Completion;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RewardOptionsTest {
  private static final List<String> RESPONSES = List.of("", "4", "<think>2+2</think>\n<answer>4</answer>", "2+2</think>\n<answer>5</answer>",
      "<answer>4</answer>", "so \\boxed{4}", "x\n#### 4", "x\n#### 7", "<think>2</think>");

  @ParameterizedTest
  @EnumSource(Kind.class)
  void weightsOfTheComponentsGiveTheTotalToTheBit(Kind kind) {
    RewardOptions options = new RewardOptions(kind, 0.3);
    for (String response : RESPONSES) {
      Reward reward = options.function().score(new Completion("2+2", "#### 4", "", response, true, 5));
      double total = 0;
      for (Map.Entry<String, Double> weight : options.weights().entrySet()) {
        total += weight.getValue() * reward.components().get(weight.getKey());
      }
      assertEquals(reward.total(), total, kind + " of " + response);
    }
  }
}
