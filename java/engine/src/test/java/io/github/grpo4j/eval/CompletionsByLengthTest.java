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

class CompletionsByLengthTest {
  /** Mean 10, population standard deviation sqrt((64 + 4 * 4 + 144) / 7) = 5.66: short is below 4.34, long above 15.66. */
  private static final List<ScoredEpisode> COMPLETIONS = List.of(
      completion(2, true), completion(8, true), completion(8, false), completion(22, false), completion(8, true), completion(8, true), completion(14, false));

  private static ScoredEpisode completion(int tokens, boolean correct) {
    Episode episode = new Episode(0, 0, new int[] {1}, new int[tokens], new float[tokens], new float[tokens], FinishReason.EOS, "");
    return new ScoredEpisode(episode, new Problem(0, "1+1", "2", null), 0, Reward.of(correct ? 1 : 0, correct, 0, null));
  }

  @Test
  void accuracyIsGivenForEachBucketThatHasAnAnswer() {
    assertEquals(Map.of("short", 1.0, "medium", 3.0 / 5, "long", 0.0), new CompletionsByLength(COMPLETIONS).accuracy());
    assertEquals(List.of("short", "medium", "long"), List.copyOf(new CompletionsByLength(COMPLETIONS).accuracy().keySet()));
    assertEquals(Map.of("medium", 0.5), new CompletionsByLength(List.of(completion(5, true), completion(5, false))).accuracy());
    assertTrue(new CompletionsByLength(List.of()).accuracy().isEmpty());
  }

  @Test
  void oneAnswerOfEachBucketIsDrawnBySeedAndStep() {
    CompletionsByLength completions = new CompletionsByLength(COMPLETIONS);
    Set<ScoredEpisode> sampled = new HashSet<>();
    for (int step = 0; step < 40; step++) {
      Map<String, ScoredEpisode> traces = completions.traces(3, step);
      assertEquals(List.of("short", "medium", "long"), List.copyOf(traces.keySet()));
      assertSame(COMPLETIONS.get(0), traces.get("short"));
      assertSame(COMPLETIONS.get(3), traces.get("long"));
      assertSame(traces.get("medium"), new CompletionsByLength(COMPLETIONS).traces(3, step).get("medium"));
      sampled.add(traces.get("medium"));
    }
    assertEquals(5, sampled.size(), "every medium completion has its turn");
  }
}
