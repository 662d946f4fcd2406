package io.github.grpo4j.update;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.FinishReason;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExperienceTest {
  private static Experience experience(int... lengths) {
    List<Episode> episodes = Arrays.stream(lengths)
        .mapToObj(n -> new Episode(n, 0, new int[] {1}, new int[n], new float[n], new float[n], FinishReason.EOS, "")).toList();
    return Experience.of(episodes, Arrays.stream(lengths).asDoubleStream().toArray());
  }

  /**
   * Lengths 4, 5, 5, 8 and 28: mean 10, deviation 9.1, so only 28 is long and nothing is short. Without 28: mean 5.5, deviation 1.5, so 4 is at
   * the bound and not below it, and 8 is long.
   */
  @Test
  void lengthsOfMaskedEpisodesSayNothingOfTheOthers() {
    Experience all = experience(4, 5, 5, 8, 28);
    assertArrayEquals(new int[] {1, 1, 1, 1, 2}, all.lengthBuckets());
    int[] without = all.withMasked(new boolean[] {false, false, false, false, true}).lengthBuckets();
    assertArrayEquals(new int[] {1, 1, 1, 2}, Arrays.copyOf(without, 4));
  }

  @Test
  void aPartHasItsOwnColumns() {
    Experience all = experience(1, 2, 3, 40).withMasked(new boolean[] {false, true, false, false})
        .withReference(List.of(new float[1], new float[2], new float[3], new float[40]));
    Experience part = all.part(1, 4);
    assertEquals(List.of(2, 3, 40), part.episodes().stream().map(Episode::problem).toList());
    assertArrayEquals(new double[] {2, 3, 40}, part.advantages());
    assertArrayEquals(new boolean[] {true, false, false}, part.masked());
    assertArrayEquals(Arrays.copyOfRange(all.lengthBuckets(), 1, 4), part.lengthBuckets());
    assertEquals(List.of(2, 3, 40), part.old().stream().map(old -> old.logprob().length).toList());
    assertEquals(List.of(2, 3, 40), part.refLogprobs().stream().map(reference -> reference.length).toList());
  }

  @Test
  void columnsOfOtherLengthsAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> Experience.of(experience(1, 2).episodes(), new double[1]));
    assertThrows(IllegalArgumentException.class, () -> experience(1, 2).withReference(List.of(new float[1])));
  }
}
