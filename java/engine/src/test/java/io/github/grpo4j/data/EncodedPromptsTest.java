package io.github.grpo4j.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

class EncodedPromptsTest {
  private static final Dataset DATA = new Dataset(
      "words", List.of(new Problem(0, "ab", "1", null), new Problem(1, "abcdef", "2", null), new Problem(2, "abc", "3", null)));
  private static final Function<String, int[]> CHARACTERS = text -> text.chars().toArray();

  @Test
  void keepsPromptsWithinTheLimit() {
    EncodedPrompts prompts = EncodedPrompts.of(DATA, CHARACTERS, 6, OverlongPrompts.ERROR);
    assertEquals(3, prompts.size());
    assertEquals(6, prompts.longest());
    assertEquals(0, prompts.skipped());
    assertEquals(List.of(6, 3), List.of(prompts.get(1).ids().length, prompts.get(2).ids().length));
  }

  @Test
  void namesTheOverlongProblemAndTheOption() {
    String message = assertThrows(DataException.class, () -> EncodedPrompts.of(DATA, CHARACTERS, 5, OverlongPrompts.ERROR)).getMessage();
    assertEquals(
        "The prompt of problem 1 of words has 6 tokens, more than data.max_prompt_tokens = 5: raise that, or set data.overlong_prompts to skip.",
        message);
  }

  @Test
  void skipsOnRequestAndKeepsIndices() {
    EncodedPrompts prompts = EncodedPrompts.of(DATA, CHARACTERS, 5, OverlongPrompts.SKIP);
    assertEquals(2, prompts.size());
    assertEquals(1, prompts.skipped());
    assertEquals(2, prompts.get(1).problem().index());
    assertThrows(DataException.class, () -> EncodedPrompts.of(DATA, CHARACTERS, 1, OverlongPrompts.SKIP));
  }
}
