package io.github.grpo4j.rollout;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.rollout.Generator.Limits;
import io.github.grpo4j.testing.OpenModel;
import io.github.grpo4j.testing.TestBackends;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Random numbers are a function of seed, step, problem, completion and position. At a temperature of 1000 every distribution is uniform, so
 * equal tokens come of equal random numbers alone.
 */
class SamplingKeysTest {
  private static final int TOKENS = TestBackends.sized(24, 8);
  private static final SamplingParams PARAMS = SamplingParams.atTemperature(1000, TOKENS);
  private static final int[] PROMPT = {3, 1, 4, 1, 5};

  private OpenModel open;
  private Generator generator;

  @BeforeEach
  void open() {
    open = OpenModel.small();
    generator = new Generator(open.model(), Limits.of(8, PROMPT.length + TOKENS), Set.of(), 64, Arrays::toString);
  }

  @AfterEach
  void close() {
    generator.close();
    open.close();
  }

  private List<int[]> sample(long seed, int step, int problem, int completions) {
    return generator.generate(List.of(new RolloutRequest(problem, PROMPT, completions)), PARAMS, seed, step, RolloutListener.NONE)
        .episodes().stream().map(episode -> episode.tokenIds()).toList();
  }

  @Test
  void eachKeyChangesThem() {
    int[] tokens = sample(1, 2, 3, 1).get(0);
    assertArrayEquals(tokens, sample(1, 2, 3, 1).get(0), "the same keys");
    assertDiffer(tokens, sample(2, 2, 3, 1).get(0), "seed");
    assertDiffer(tokens, sample(1, 3, 3, 1).get(0), "step");
    assertDiffer(tokens, sample(1, 2, 4, 1).get(0), "problem");
  }

  @Test
  void completionsOfAGroupDifferAndDoNotDependOnItsSize() {
    List<int[]> group = sample(1, 2, 3, 4);
    assertEquals(4, group.stream().map(Arrays::toString).collect(Collectors.toSet()).size());
    for (int i = 1; i < 4; i++) {
      assertDiffer(group.get(0), group.get(i), "completion " + i);
    }
    assertArrayEquals(group.get(0), sample(1, 2, 3, 1).get(0));
  }

  @Test
  void positionsDiffer() {
    Set<Integer> tokens = new HashSet<>();
    Arrays.stream(sample(1, 2, 3, 1).get(0)).forEach(tokens::add);
    assertTrue(tokens.size() > TOKENS / 2, tokens + " of " + TOKENS);
  }

  private static void assertDiffer(int[] a, int[] b, String key) {
    int equal = 0;
    for (int t = 0; t < TOKENS; t++) {
      equal += a[t] == b[t] ? 1 : 0;
    }
    assertTrue(equal <= TOKENS / 4, equal + " of " + TOKENS + " tokens are equal with another " + key);
  }
}
