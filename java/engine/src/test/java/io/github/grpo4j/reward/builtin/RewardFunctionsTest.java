package io.github.grpo4j.reward.builtin;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.reward.Completion;
import io.github.grpo4j.testing.LargeAssets;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class RewardFunctionsTest {
  private static final String GOOD = "7 and 11</think>\n<answer>18</answer>";

  private static Completion completion(String prefix, String response, String gold) {
    return new Completion("How many?", gold, prefix, response, true, 10);
  }

  private static Reward think(String response) {
    return new ThinkAnswer(0.1).score(completion("Let me see.\n<think>", response, "18"));
  }

  @Test
  void thinkAnswerPaysTheAnswerAndAShareForTheForm() {
    Reward reward = think(GOOD);
    assertEquals(1.1, reward.total(), 1e-12);
    assertEquals(List.of("answer", "format"), new ArrayList<>(reward.components().keySet()));
    assertEquals("18", reward.extractedAnswer());
    assertTrue(reward.correct());
    assertTrue(reward.formatted());
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "x</think>\\n<answer>17</answer> | 0.1", // wrong, full form
      "x</think>\\n\\n<answer>18</answer> | 1.06", // two newlines: both blocks, not the form
      "x</think> <answer>$18.00</answer> | 1.06",
      "<answer>18</answer> | 1.05", // never stopped thinking
      "x</think> 18 | 0.01",
      "18 | 0",
      "<answer>18</answer></think>\\n<answer>3</answer> | 0.06", // the draft inside the thinking does not count
      "x</think>\\n<answer>3</answer><answer>18</answer> | 1.06", // the last block counts
      "x</think>\\n<answer>18</answer> bye | 1.06",
      "x</think>\\n<think></think>\\n<answer>18</answer> | 1.06", // nested or repeated tags are not the form
      "x</think>\\n<answer>3 or 18</answer> | 1.1", // the last number counts
      "x</think>\\n<answer>none</answer> | 0.1",
      "x</think>\\n<answer>18 | 0.01"
  })
  void thinkAnswerCases(String response, double expected) {
    assertEquals(expected, think(response.replace("\\n", "\n")).total(), 1e-12, response);
  }

  @Test
  void anUnopenedThinkBlockIsMissing() {
    assertEquals(1.05, new ThinkAnswer(0.1).score(completion("", GOOD, "18")).total(), 1e-12);
    assertEquals(1.1, new ThinkAnswer(0.1).score(completion("", "<think>" + GOOD, "18")).total(), 1e-12);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "so \\boxed{18} | true | 1.1", "so \\boxed{18} | false | 1", "\\boxed{\\text{1,80{0}}} | true | 0.1",
      "\\boxed{3} no, \\boxed{$18} | true | 1.1", "\\boxed{18 | true | 0", "18 | true | 0", "\\boxed{\\frac{36}{2} = 18} | true | 1.1"
  })
  void boxed(String response, boolean finished, double expected) {
    Completion completion = new Completion("q", "#### 18", "", response, finished, 3);
    assertEquals(expected, new Boxed(0.1).score(completion).total(), 1e-12);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "2*9=18\\n#### 18 | true | 1.1", "#### 18 | true | 1.1", "#### 18 | false | 0", "2*9=18\\n#### 17 | true | 0.1",
      "#### 18\\n | true | 0", "####18 | true | 0", "#### 18 #### 18 | true | 0", "18 | true | 0", "x #### 18 | true | 0",
      "#### 18\\n#### 3 | true | 0.1", "####  | true | 0"
  })
  void gsm8k(String response, boolean finished, double expected) {
    Completion completion = new Completion("q", "#### 18", "", response.replace("\\n", "\n"), finished, 3);
    assertEquals(expected, new Gsm8kLine(0.1).score(completion).total(), 1e-12);
  }

  @Test
  void originalV1KeepsItsDefects() {
    OriginalV1 v1 = new OriginalV1();
    assertEquals(1.1, v1.score(completion("<think>", GOOD + "\n", "18")).total(), 1e-12, "a final newline passes");
    assertEquals(0.1, v1.score(completion("<think>", "x</think>\n<answer>1,080</answer>", "1,080")).total(), 1e-12);
    assertEquals(1.1, v1.score(completion("<think>", "x</think>\n<answer>5-3</answer>", "-3")).total(), 1e-12);
    assertEquals(1.06, v1.score(completion("<think>", "<answer>18</answer></think>", "18")).total(), 1e-12);
    assertEquals(1.1, v1.score(completion("<think>", "<answer>18</answer></think>\n<answer>3</answer>", "18")).total(), 1e-12);
    assertEquals(0.0, v1.score(completion("<think>", "18", "18")).total(), 1e-12);
    assertEquals(0.1, v1.score(completion("<think>", "x</think>\n<answer></answer></answer>", "18")).total(), 1e-12);
  }

  @Test
  void originalV2PaysForNoTagsAtAll() {
    OriginalV2 v2 = new OriginalV2();
    assertEquals(1.0, v2.score(completion("<think>", GOOD, "18")).total(), 1e-12);
    assertEquals(0.0, v2.score(completion("<think>", "18", "18")).total(), 1e-12);
    assertEquals(0.4, v2.score(completion("<think>", "x</think> <answer>18</answer>", "18")).total(), 1e-12);
    assertEquals(-0.1, v2.score(completion("<think>", "x</think> 18", "18")).total(), 1e-12);
  }

  @Test
  void penaltyFixedChargesForWhatIsMissing() {
    PenaltyFixed fixed = new PenaltyFixed();
    assertEquals(1.0, fixed.score(completion("<think>", GOOD, "18")).total(), 1e-12);
    assertEquals(-0.6, fixed.score(completion("<think>", "18", "18")).total(), 1e-12);
    assertEquals(-0.5, fixed.score(completion("<think>", "x</think> 18", "18")).total(), 1e-12);
    assertEquals(0.9, fixed.score(completion("", "<answer>18</answer>", "18")).total(), 1e-12);
  }

  @Test
  void withoutAnswerNothingIsExtracted() {
    Reward reward = think("no idea");
    assertNull(reward.extractedAnswer());
    assertFalse(reward.correct());
  }

  static Map<String, BoundedReward> all() {
    Map<String, BoundedReward> all = new LinkedHashMap<>();
    all.put("thinkAnswer", new ThinkAnswer(0.1));
    all.put("boxed", new Boxed(0.1));
    all.put("gsm8k", new Gsm8kLine(0.1));
    all.put("penaltyFixed", new PenaltyFixed());
    all.put("originalV1", new OriginalV1());
    all.put("originalV2", new OriginalV2());
    return all;
  }

  @Test
  void keepingTheFormatIsAVerdictOfItsOwn() {
    assertFalse(think("x</think> <answer>18</answer>").formatted(), "two blocks, but not the whole format");
    assertFalse(new Boxed().score(new Completion("q", "18", "", "\\boxed{18}", false, 3)).formatted(), "cut off");
    assertTrue(new Gsm8kLine().score(completion("", "#### 17", "18")).formatted(), "wrong, and well written");
    assertTrue(new PenaltyFixed().score(completion("<think>", GOOD, "18")).formatted());
    assertFalse(new PenaltyFixed().score(completion("", GOOD, "18")).formatted());
    assertTrue(new OriginalV2().score(completion("<think>", GOOD, "18")).formatted());
    assertFalse(new OriginalV2().score(completion("<think>", "18", "18")).formatted(), "a penalty of 0, and no format at all");
  }

  @Test
  void aWeightBelowZeroIsRefused() {
    String message = assertThrows(IllegalArgumentException.class, () -> new Boxed(-1)).getMessage();
    assertTrue(message.startsWith("format_weight is -1.0"), message);
  }

  static List<String> hostilePatterns() {
    return List.of("<think>", "</think>", "<answer>", "</answer>", "<answer></answer>", "</think>\n<answer>", "\\boxed{", "{", "9",
        "1,", "1,234,", "-", "1e9", "1.", "#### ", "\n#### 1", "$-1", "<answer>1 -2", "1e", "((((", "\u22121", "\u0000");
  }

  /** Takes milliseconds; quadratic time over a megabyte would take many minutes, so the limit is a guard against hanging. */
  @ParameterizedTest
  @MethodSource("hostilePatterns")
  void aMegabyteOfAnythingIsScoredInLinearTime(String pattern) {
    String hostile = pattern.repeat(1_000_000 / pattern.length());
    List<String> texts = List.of(hostile, "<answer>" + hostile + "</answer>", "\\boxed{" + hostile + "}", "#### " + hostile);
    all().forEach((name, function) -> {
      for (String text : texts) {
        Reward reward = assertTimeoutPreemptively(Duration.ofMinutes(2), () -> function.score(completion("<think>", text, "18")), name);
        assertTrue(Double.isFinite(reward.total()), name);
      }
    });
  }

  @Test
  void everyGsm8kAnswerMatchesItself() throws IOException {
    ObjectMapper json = new ObjectMapper();
    int rows = 0;
    int originalMisses = 0;
    for (String file : List.of("train.jsonl", "test.jsonl")) {
      for (String line : Files.readAllLines(LargeAssets.require("data/gsm8k").resolve(file))) {
        String solution = json.readTree(line).get("answer").asText();
        String gold = solution.substring(solution.lastIndexOf("####") + 4).strip();
        for (String said : List.of(gold, "$" + gold, gold + "%", gold + ".", "so it is " + gold + ".00", gold.replace(",", ""))) {
          String tagged = "x</think>\n<answer>" + said + "</answer>";
          assertEquals(1.1, new ThinkAnswer(0.1).score(completion("<think>", tagged, solution)).total(), 1e-12, said);
          assertEquals(1.1, new Boxed(0.1).score(completion("", "\\boxed{" + said + "}", solution)).total(), 1e-12, said);
        }
        assertEquals(1.1, new Gsm8kLine(0.1).score(completion("", solution, solution)).total(), 1e-12, gold);
        String wrong = "x</think>\n<answer>" + gold + "1</answer>";
        assertEquals(0.1, new ThinkAnswer(0.1).score(completion("<think>", wrong, solution)).total(), 1e-12, gold);
        originalMisses += new OriginalV1().score(completion("<think>", "x</think>\n<answer>" + gold + "</answer>", gold)).correct() ? 0 : 1;
        rows++;
      }
    }
    assertEquals(8792, rows);
    assertTrue(originalMisses > 0, "the preset keeps the comma defect");
  }
}
