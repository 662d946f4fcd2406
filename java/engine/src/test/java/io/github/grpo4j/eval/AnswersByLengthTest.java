package io.github.grpo4j.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.data.Problem;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.FinishReason;
import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.episode.ScoredEpisode;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class AnswersByLengthTest {
  /** Mean 10, population standard deviation sqrt((64 + 4 * 4 + 144) / 7) = 5.66: short is below 4.34, long above 15.66. */
  private static final List<ScoredEpisode> ANSWERS = List.of(
      answer(2, true), answer(8, true), answer(8, false), answer(22, false), answer(8, true), answer(8, true), answer(14, false));

  private static ScoredEpisode answer(int tokens, boolean correct) {
    Episode episode = new Episode(0, 0, new int[] {1}, new int[tokens], new float[tokens], new float[tokens], FinishReason.EOS, "");
    return new ScoredEpisode(episode, new Problem(0, "1+1", "2", null), 0, Reward.of(correct ? 1 : 0, correct, 0, null));
  }

  @Test
  void accuracyIsGivenForEachBucketThatHasAnAnswer() {
    assertEquals(Map.of("short", 1.0, "medium", 3.0 / 5, "long", 0.0), new AnswersByLength(ANSWERS).accuracy());
    assertEquals(List.of("short", "medium", "long"), List.copyOf(new AnswersByLength(ANSWERS).accuracy().keySet()));
    assertEquals(Map.of("medium", 0.5), new AnswersByLength(List.of(answer(5, true), answer(5, false))).accuracy());
    assertTrue(new AnswersByLength(List.of()).accuracy().isEmpty());
  }

  @Test
  void oneAnswerOfEachBucketIsDrawnBySeedAndStep() {
    AnswersByLength answers = new AnswersByLength(ANSWERS);
    Set<ScoredEpisode> drawn = new HashSet<>();
    for (int step = 0; step < 40; step++) {
      Map<String, ScoredEpisode> traces = answers.traces(3, step);
      assertEquals(List.of("short", "medium", "long"), List.copyOf(traces.keySet()));
      assertSame(ANSWERS.get(0), traces.get("short"));
      assertSame(ANSWERS.get(3), traces.get("long"));
      assertSame(traces.get("medium"), new AnswersByLength(ANSWERS).traces(3, step).get("medium"));
      drawn.add(traces.get("medium"));
    }
    assertEquals(5, drawn.size(), "every medium answer has its turn");
  }
}
