package io.github.grpo4j.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.data.Problem;
import io.github.grpo4j.data.SyntheticArithmetic;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The tokenizer that ships with the tiny model fits the problems that are generated for it. */
class TinyTaskTest {
  @Test
  void problemsAreShort(@TempDir Path directory) throws IOException {
    try (InputStream json = Tokenizer.class.getResourceAsStream("/io/github/grpo4j/tiny/tokenizer.json")) {
      Files.copy(json, directory.resolve("tokenizer.json"));
    }
    int prompts = 0;
    int solutions = 0;
    int longestPrompt = 0;
    int longestSolution = 0;
    int count = 4000;
    try (Tokenizer tokenizer = Tokenizer.load(directory)) {
      for (Problem problem : SyntheticArithmetic.train(1, count)) {
        int prompt = tokenizer.encode(problem.question() + "\n").length;
        int solution = tokenizer.encode(problem.solution() + "<|im_end|>").length;
        prompts += prompt;
        solutions += solution;
        longestPrompt = Math.max(longestPrompt, prompt);
        longestSolution = Math.max(longestSolution, solution);
      }
    }
    assertEquals(22, (double) prompts / count, 1);
    assertEquals(17, (double) solutions / count, 1);
    assertTrue(longestPrompt <= 32 && longestSolution <= 30, longestPrompt + " " + longestSolution);
  }
}
