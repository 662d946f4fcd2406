package io.github.grpo4j.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.testing.LargeAssets;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatasetReaderTest {
  private static final List<String> ANSWERS = List.of("7", "1,080", "-3", "140", "9", "9");

  @TempDir Path directory;

  @Test
  void readsJsonLines() throws IOException {
    Path file = write("a.jsonl", "{\"question\": \"1+1?\", \"answer\": \"It is\\n#### 2\", \"extra\": [1]}\n\n{\"answer\":\"#### 1,000 \",\"question\":\"é\"}\n");
    Dataset data = DatasetReader.read(file);
    assertEquals(
        List.of(new Problem(0, "1+1?", "2", "It is\n#### 2"), new Problem(1, "é", "1,000", "#### 1,000 ")), data.problems());
    assertEquals(data.sha256(), DatasetReader.read(file, "ignored", "ignored").sha256());
    assertNotEquals(data.sha256(), data.first(1).sha256());
  }

  @Test
  void readsParquetShardsInNameOrder() throws Exception {
    Dataset data = DatasetReader.read(resource("gsm8k"), "main", "train");
    assertEquals(ANSWERS, answers(data));
    assertEquals("A café sells 12 crêpes a day for $1.50. What does it earn in 60 days?", data.get(1).question());
    assertEquals("Ben reads 20 pages a day — for a week. How many pages? 📚", data.get(3).question());
    assertEquals("5-8=<<5-8=-3>>-3\n#### -3", data.get(2).solution());
    assertEquals(4, data.get(4).index());
  }

  @Test
  void readsEveryPageFormAlike() throws Exception {
    Dataset snappyAndZstd = DatasetReader.read(resource("gsm8k"), "main", "train");
    // Version 2 pages, gzip, delta encodings, two row groups.
    assertEquals(snappyAndZstd.sha256(), DatasetReader.read(resource("gsm8k"), "main", "test").sha256());
    // Version 2 pages, lz4, no dictionary, a struct column beside.
    assertEquals(snappyAndZstd.sha256(), DatasetReader.read(resource("gsm8k/plain.parquet")).sha256());
  }

  @Test
  void prefersTheConfigsOwnFolderAndFallsBackToJsonLines() throws IOException {
    write("test.jsonl", "{\"question\": \"outer\", \"answer\": \"#### 1\"}");
    assertEquals("outer", DatasetReader.read(directory, "main", "test").get(0).question());
    Files.createDirectory(directory.resolve("main"));
    write("main/test.jsonl", "{\"question\": \"inner\", \"answer\": \"#### 1\"}");
    assertEquals("inner", DatasetReader.read(directory, "main", "test").get(0).question());
    assertEquals("outer", DatasetReader.read(directory, "socratic", "test").get(0).question());
    assertMessage("No split \"validation\"", directory, "validation");
    assertMessage("must be a plain name", directory, "../secret");
    assertMessage("must be a plain name", directory, "*");
  }

  @Test
  void badRowsAreNamedByFileAndLine() throws IOException {
    String good = "{\"question\": \"q\", \"answer\": \"#### 1\"}\n";
    assertMessage("b.jsonl:2: not a JSON object", write("b.jsonl", good + "{\"question\": "));
    assertMessage("b.jsonl:2: not a JSON object", write("b.jsonl", good + good.strip() + "{}"));
    assertMessage("b.jsonl:1: expected a JSON object, found array", write("b.jsonl", "[]"));
    assertMessage("b.jsonl:3: no key \"answer\"; the line has [question]", write("b.jsonl", good + good + "{\"question\": \"q\"}"));
    assertMessage("\"answer\" must be a string, found number", write("b.jsonl", "{\"question\": \"q\", \"answer\": 3}"));
    assertMessage("b.jsonl:2: the answer has no \"#### N\"", write("b.jsonl", good + "{\"question\": \"q\", \"answer\": \"3\"}"));
    assertMessage("nothing follows \"####\"", write("b.jsonl", "{\"question\": \"q\", \"answer\": \"3 ####\"}"));
    assertMessage("is empty", write("b.jsonl", "\n \n"));
    assertMessage("must end in .jsonl or .parquet", write("b.csv", "question,answer"));
    assertMessage("does not exist", directory.resolve("missing.jsonl"));
    Files.write(directory.resolve("b.jsonl"), new byte[] {'{', (byte) 0xC3, '(', '}'});
    assertMessage("is not UTF-8", directory.resolve("b.jsonl"));
  }

  @Test
  void badParquetFilesGetASentence() throws Exception {
    assertMessage("has no value in row 1", resource("gsm8k/null.parquet"));
    assertMessage("does not hold text", resource("gsm8k/numbers.parquet"));
    assertMessage("does not begin with \"PAR1\"", write("c.parquet", "hello, this is not a parquet file"));
    byte[] whole = Files.readAllBytes(resource("gsm8k/main/train-00000-of-00002.parquet"));
    Path cut = directory.resolve("cut.parquet");
    Files.write(cut, Arrays.copyOf(whole, whole.length / 2));
    assertMessage("does not end with \"PAR1\"", cut);
  }

  @Test
  void missingColumnsAreNamedWithThoseThatExist() throws Exception {
    Path file = resource("gsm8k/main/test.parquet");
    String message = assertThrows(DataException.class, () -> ParquetText.read(file, List.of("solution"))).getMessage();
    assertTrue(message.endsWith("test.parquet: no column \"solution\"; the file has [question, id, answer]."), message);
  }

  /** Whatever bytes a Parquet file holds, reading it ends in rows or in a {@link DataException}. */
  @Test
  void damagedParquetFilesNeverDoWorse() throws Exception {
    Random random = new Random(11);
    int refused = 0;
    for (String name : List.of("gsm8k/main/train-00000-of-00002.parquet", "gsm8k/main/train-00001-of-00002.parquet", "gsm8k/main/test.parquet")) {
      byte[] whole = Files.readAllBytes(resource(name));
      for (int i = 0; i < 200; i++) {
        byte[] damaged = whole.clone();
        for (int flips = random.nextInt(4); flips >= 0; flips--) {
          damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
        }
        Path file = directory.resolve("damaged.parquet");
        Files.write(file, damaged);
        try {
          DatasetReader.read(file);
        } catch (DataException e) {
          refused++;
        }
      }
    }
    assertTrue(refused > 60, refused + " of 600 refused");
  }

  @Test
  void readsTheRealGsm8k() {
    Path path = LargeAssets.require("data/gsm8k");
    Dataset train = DatasetReader.read(path, "main", "train");
    Dataset test = DatasetReader.read(path, "main", "test");
    assertEquals(7473, train.size());
    assertEquals(1319, test.size());
    assertEquals(79, answers(train).stream().filter(answer -> answer.contains(",")).count());
    assertTrue(answers(test).stream().allMatch(answer -> answer.matches("-?[\\d,]+")));
  }

  private static List<String> answers(Dataset data) {
    return StreamSupport.stream(data.spliterator(), false).map(Problem::answer).toList();
  }

  private static void assertMessage(String part, Path file) {
    assertMessage(part, file, "train");
  }

  private static void assertMessage(String part, Path path, String split) {
    String message = assertThrows(DataException.class, () -> DatasetReader.read(path, "main", split)).getMessage();
    assertTrue(message.contains(part), message);
  }

  private static Path resource(String name) throws URISyntaxException {
    return Path.of(DatasetReaderTest.class.getResource(name).toURI());
  }

  private Path write(String name, String text) throws IOException {
    return Files.writeString(directory.resolve(name), text);
  }
}
