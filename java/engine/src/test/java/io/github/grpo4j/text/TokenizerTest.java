package io.github.grpo4j.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizerTest {
  private static final String QUESTION = "Tom has 2 bags of 2 cups. Tom buys 3 more. How many cups now?\n";

  @TempDir Path directory;

  @Test
  void encodesAndDecodesAsHuggingFaceDoes() throws IOException {
    try (Tokenizer tokenizer = tiny()) {
      int[] ids = {329, 264, 220, 17, 293, 292, 220, 17, 303, 13, 347, 289, 220, 18, 279, 13, 266, 269, 303, 274, 30, 198};
      assertArrayEquals(ids, tokenizer.encode(QUESTION));
      assertEquals(QUESTION, tokenizer.decode(ids));
      assertEquals(372, tokenizer.vocabUsed());
      assertEquals(0, tokenizer.encode("").length);
      assertEquals("", tokenizer.decode(new int[0]));
    }
  }

  @Test
  void specialTokensAreRecognisedKeptAndSkipped() throws IOException {
    try (Tokenizer tokenizer = tiny()) {
      int[] ids = tokenizer.encode("#### 5<|im_end|>");
      assertEquals(371, ids[ids.length - 1]);
      assertEquals("#### 5<|im_end|>", tokenizer.decode(ids));
      assertEquals("#### 5", tokenizer.decodeSkippingSpecial(ids));
      assertEquals(OptionalInt.of(370), tokenizer.idOf("<|im_start|>"));
      assertEquals(OptionalInt.empty(), tokenizer.idOf("<think>"));
    }
  }

  @Test
  void anyTextSurvivesTheRoundTrip() throws IOException {
    Random random = new Random(7);
    try (Tokenizer tokenizer = tiny()) {
      for (int i = 0; i < 300; i++) {
        String text = randomText(random);
        assertEquals(text, tokenizer.decode(tokenizer.encode(text)));
      }
      assertEquals("a\uFFFDb", tokenizer.decode(tokenizer.encode("a\uD800b")));
    }
  }

  @Test
  void streamedTextIsTheWholeText() throws IOException {
    Random random = new Random(8);
    try (Tokenizer tokenizer = tiny()) {
      for (int i = 0; i < 100; i++) {
        // Half of the sequences are random ids, so that their bytes are mostly not UTF-8.
        int[] ids = i % 2 == 0 ? tokenizer.encode(randomText(random)) : random.ints(40, 0, tokenizer.vocabUsed()).toArray();
        for (boolean skip : new boolean[] {false, true}) {
          StreamingDecoder decoder = new StreamingDecoder(tokenizer, skip);
          StringBuilder text = new StringBuilder();
          for (int id : ids) {
            text.append(decoder.add(id));
          }
          text.append(decoder.finish());
          assertEquals(tokenizer.decode(ids, skip), text.toString());
        }
      }
    }
  }

  @Test
  void streamingHoldsBackHalfACharacter() throws IOException {
    try (Tokenizer tokenizer = tiny()) {
      int[] ids = tokenizer.encode("é!");
      StreamingDecoder decoder = new StreamingDecoder(tokenizer, false);
      assertEquals(3, ids.length);
      assertEquals("", decoder.add(ids[0]));
      assertEquals("é", decoder.add(ids[1]));
      assertEquals("!", decoder.add(ids[2]));
      decoder.add(ids[0]);
      assertEquals("\uFFFD", decoder.finish());
    }
  }

  @Test
  void endsOfAnAnswerComeFromTheFilesBeside() throws IOException {
    copyTiny();
    assertSpecial("[371]", OptionalInt.of(369), OptionalInt.empty());
    write("generation_config.json", "{\"eos_token_id\": [369, 371], \"pad_token_id\": 1}");
    assertSpecial("[371, 369]", OptionalInt.of(369), OptionalInt.empty());
    Files.delete(directory.resolve("tokenizer_config.json"));
    assertSpecial("[369, 371]", OptionalInt.of(1), OptionalInt.empty());
    Files.delete(directory.resolve("generation_config.json"));
    write("config.json", "{\"eos_token_id\": 371, \"bos_token_id\": 369, \"pad_token_id\": null}");
    assertSpecial("[371]", OptionalInt.empty(), OptionalInt.of(369));
    Files.delete(directory.resolve("config.json"));
    assertSpecial("[]", OptionalInt.empty(), OptionalInt.empty());
    write("tokenizer_config.json", "{\"eos_token\": {\"content\": \"<|endoftext|>\", \"special\": true}}");
    assertSpecial("[369]", OptionalInt.empty(), OptionalInt.empty());
  }

  @Test
  void wrongConfigFilesAreNamed() throws IOException {
    copyTiny();
    write("generation_config.json", "{\"eos_token_id\": 99999}");
    assertMessage("generation_config.json: eos_token_id is 99999");
    write("generation_config.json", "{\"eos_token_id\": [");
    assertMessage("generation_config.json:1:");
    write("generation_config.json", "[]");
    assertMessage("expected a JSON object");
    Files.delete(directory.resolve("generation_config.json"));
    write("tokenizer_config.json", "{\"eos_token\": \"</s>\"}");
    assertMessage("eos_token \"</s>\" is not among");
  }

  @Test
  void corruptTokenizersGetASentence() throws IOException {
    assertMessage("There is no tokenizer");
    String good = copyTiny();
    for (String bad : List.of("", "[]", "{}", "nonsense", good.substring(0, good.length() / 2), good + "x",
        good.replace("\"BPE\"", "\"Unheard\""), good.replace("\"id\": 370", "\"id\": -1"),
        good.replace("\"id\": 370", "\"id\": 4000000000"), good.replace("\"!\": 0", "\"!\": \"zero\""),
        good.replace("\"content\": \"<|im_end|>\"", "\"content\": [1]"))) {
      write("tokenizer.json", bad);
      assertMessage("tokenizer.json");
    }
    Files.write(directory.resolve("tokenizer.json"), new byte[] {(byte) 0xFF, (byte) 0xFE});
    assertMessage("is not UTF-8");
  }

  @Test
  void threadsShareATokenizerAndItClosesOnce() throws Exception {
    Tokenizer tokenizer = tiny();
    ExecutorService pool = Executors.newFixedThreadPool(4);
    try {
      int[] expected = tokenizer.encode(QUESTION);
      CompletableFuture.allOf(IntStream.range(0, 16).mapToObj(task -> CompletableFuture.runAsync(() -> {
        for (int i = 0; i < 200; i++) {
          assertArrayEquals(expected, tokenizer.encode(QUESTION));
          assertEquals(QUESTION, tokenizer.decode(expected));
        }
      }, pool)).toArray(CompletableFuture[]::new)).get();
    } finally {
      pool.shutdown();
    }
    tokenizer.close();
    tokenizer.close();
    assertThrows(IllegalStateException.class, () -> tokenizer.encode("a"));
    assertThrows(IllegalStateException.class, () -> tokenizer.decode(new int[] {1}));
  }

  @Test
  void negativeIdsAreRefused() throws IOException {
    try (Tokenizer tokenizer = tiny()) {
      assertThrows(IllegalArgumentException.class, () -> tokenizer.decode(new int[] {1, -1}));
    }
  }

  private static String randomText(Random random) {
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(20); i >= 0; i--) {
      int codePoint = random.nextInt(random.nextBoolean() ? 0x80 : 0x20000);
      text.appendCodePoint(codePoint >= 0xD800 && codePoint < 0xE000 ? 'x' : codePoint);
    }
    return text.toString();
  }

  private void assertSpecial(String stop, OptionalInt pad, OptionalInt bos) {
    try (Tokenizer tokenizer = Tokenizer.load(directory)) {
      SpecialTokens special = tokenizer.special();
      assertEquals(stop, special.stop().toString());
      assertEquals(special.stop().isEmpty() ? OptionalInt.empty() : OptionalInt.of(special.stop().get(0)), special.eos());
      assertEquals(pad, special.pad());
      assertEquals(bos, special.bos());
      assertFalse(special.isStop(0));
    }
  }

  private void assertMessage(String part) {
    String message = assertThrows(TextException.class, () -> Tokenizer.load(directory)).getMessage();
    assertTrue(message.contains(part), message);
  }

  private Tokenizer tiny() throws IOException {
    copyTiny();
    return Tokenizer.load(directory);
  }

  private String copyTiny() throws IOException {
    for (String file : List.of("tokenizer.json", "tokenizer_config.json")) {
      try (InputStream resource = Tokenizer.class.getResourceAsStream("/io/github/grpo4j/tiny/" + file)) {
        write(file, new String(resource.readAllBytes(), StandardCharsets.UTF_8));
      }
    }
    return Files.readString(directory.resolve("tokenizer.json"));
  }

  private void write(String file, String text) throws IOException {
    Files.writeString(directory.resolve(file), text);
  }
}
