package io.github.grpo4j.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.grpo4j.testing.LargeAssets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** The real tokenizer of Qwen2.5 against ids from Hugging Face's Python package. */
class QwenTokenizerTest {
  @Test
  void reproducesTheGoldenIds() throws IOException {
    Path directory = LargeAssets.require("tokenizers/qwen2.5");
    ObjectMapper json = new ObjectMapper();
    try (Tokenizer tokenizer = Tokenizer.load(directory)) {
      List<String> cases = Files.readAllLines(directory.resolve("cases.jsonl"));
      for (String line : cases) {
        JsonNode golden = json.readTree(line);
        int[] ids = json.convertValue(golden.get("ids"), int[].class);
        String text = golden.get("text").textValue();
        assertArrayEquals(ids, tokenizer.encode(text), text);
        assertEquals(golden.get("decoded").textValue(), tokenizer.decode(ids), text);
      }
      assertEquals(102, cases.size());
      assertEquals(151_665, tokenizer.vocabUsed());
      assertEquals(OptionalInt.of(151_643), tokenizer.special().pad());
      assertEquals(List.of(151_645), tokenizer.special().stop());
      assertEquals(OptionalInt.empty(), tokenizer.special().bos());
      assertEquals(OptionalInt.of(151_664), tokenizer.idOf("<|file_sep|>"));
    }
  }

  @Test
  void countsTheTokensOfGsm8k() throws IOException {
    Path directory = LargeAssets.require("tokenizers/qwen2.5");
    Path data = LargeAssets.require("data/gsm8k/test.jsonl");
    ObjectMapper json = new ObjectMapper();
    int longest = 0;
    try (Tokenizer tokenizer = Tokenizer.load(directory)) {
      for (String line : Files.readAllLines(data)) {
        longest = Math.max(longest, tokenizer.encode(json.readTree(line).get("question").textValue()).length);
      }
    }
    assertEquals(188, longest);
  }
}
