package io.github.grpo4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.run.ModelLocation;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every kind of bad input gets one sentence that names place and cause, and an exit code of its kind. */
class BadInputTest {
  private static final String WEIGHTS = "model.safetensors";

  @TempDir Path folder;
  private Path model;

  @BeforeEach
  void copyModel() throws IOException {
    model = Files.createDirectory(folder.resolve("bad"));
    try (Stream<Path> files = Files.list(ModelLocation.find("builtin:tiny").model())) {
      for (Path file : files.toList()) {
        Files.copy(file, model.resolve(file.getFileName()));
      }
    }
  }

  private void evalFails(int code, String... words) {
    fails(code, words, "eval", "--model", model.toString(), "--greedy", "--out", folder.resolve("answers.jsonl").toString());
    assertFalse(Files.exists(folder.resolve("answers.jsonl")));
  }

  private static void fails(int code, String[] words, String... args) {
    CommandRun run = CommandRun.of(args);
    assertEquals(code, run.code(), () -> String.join(" ", args) + " printed " + run.err());
    assertTrue(run.err().startsWith("grpo4j: "), run.err());
    assertFalse(run.err().contains("\tat "), () -> "no stack trace: " + run.err());
    for (String word : words) {
      assertTrue(run.err().contains(word), () -> "no '" + word + "' in: " + run.err());
    }
  }

  @Test
  void storageTypes() {
    String[] names = {"--dtype", "'half' must be f32, bf16 or f16"};
    fails(ExitCodes.USAGE, names, "generate", "--model", model.toString(), "--dtype", "half");
    String[] sentence = {"model.dtype is f16", "backend.device is cpu", "set model.dtype (--dtype) to bf16 or f32"};
    fails(ExitCodes.USAGE, sentence, "generate", "--model", model.toString(), "--prompt", "1", "--device", "cpu", "--dtype", "float16");
    fails(ExitCodes.USAGE, sentence, "bench", "optimizer", "--model", model.toString(), "--device", "cpu", "--dtype", "fp16");
  }

  private void rewriteHeader(java.util.function.Consumer<ObjectNode> change) throws IOException {
    byte[] file = Files.readAllBytes(model.resolve(WEIGHTS));
    int length = (int) ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
    ObjectNode header = JsonLines.parse("header", new String(file, 8, length, StandardCharsets.UTF_8));
    change.accept(header);
    byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
    ByteBuffer changed = ByteBuffer.allocate(8 + json.length + file.length - 8 - length).order(ByteOrder.LITTLE_ENDIAN);
    changed.putLong(json.length).put(json).put(file, 8 + length, file.length - 8 - length);
    Files.write(model.resolve(WEIGHTS), changed.array());
  }

  private void rewrite(String name, String from, String to) throws IOException {
    String text = Files.readString(model.resolve(name));
    assertTrue(text.contains(from));
    Files.writeString(model.resolve(name), text.replace(from, to));
  }

  @Test
  void truncatedWeights() throws IOException {
    Files.write(model.resolve(WEIGHTS), Arrays.copyOf(Files.readAllBytes(model.resolve(WEIGHTS)), 500_000));
    evalFails(ExitCodes.DATA, WEIGHTS, "cut off");
  }

  @Test
  void hostileHeader() throws IOException {
    Files.write(model.resolve(WEIGHTS), ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN).putLong(Long.MAX_VALUE).array());
    evalFails(ExitCodes.DATA, WEIGHTS, "header");
  }

  @Test
  void aConfigThatAsksForMoreThanThereIs() throws IOException {
    rewrite("config.json", "\"vocab_size\": 512", "\"vocab_size\": 2000000000");
    evalFails(ExitCodes.DATA, "config.json", "parameters");
  }

  @Test
  void unknownArchitecture() throws IOException {
    rewrite("config.json", "Qwen2ForCausalLM", "MambaForCausalLM");
    evalFails(ExitCodes.DATA, "config.json", "MambaForCausalLM", "LlamaForCausalLM");
  }

  @Test
  void missingTensor() throws IOException {
    rewriteHeader(header -> header.set("other", header.remove("model.layers.1.mlp.up_proj.weight")));
    evalFails(ExitCodes.DATA, "model.layers.1.mlp.up_proj.weight");
    CommandRun inspected = CommandRun.of("inspect", model.toString());
    assertEquals(ExitCodes.DATA, inspected.code());
    assertTrue(inspected.out().contains("model.layers.1.mlp.up_proj.weight is missing"), inspected.out());
  }

  @Test
  void wrongShape() throws IOException {
    rewriteHeader(header -> ((ObjectNode) header.get("model.layers.0.self_attn.q_proj.weight")).putArray("shape").add(48).add(192));
    evalFails(ExitCodes.DATA, "q_proj.weight", "[48, 192]", "[96, 96]");
  }

  @Test
  void corruptTokenizer() throws IOException {
    Files.writeString(model.resolve("tokenizer.json"), Files.readString(model.resolve("tokenizer.json")).substring(0, 5000));
    evalFails(ExitCodes.DATA, "tokenizer.json");
  }

  @Test
  void noModelAtAll() {
    fails(ExitCodes.DATA, new String[] {"nowhere", "does not exist"}, "inspect", folder.resolve("nowhere").toString());
    fails(ExitCodes.DATA, new String[] {"huge", "tiny"}, "inspect", "builtin:huge");
  }

  @Test
  void configurationErrorsAreUsageErrors() throws IOException {
    Path config = Files.writeString(folder.resolve("c.yaml"), "rollout:\n  temprature: 0.9\n");
    fails(ExitCodes.USAGE, new String[] {"c.yaml:2", "rollout.temperature"}, "train", "--config", config.toString());
    fails(ExitCodes.USAGE, new String[] {"nope.yaml"}, "plan", "--config", folder.resolve("nope.yaml").toString());
    fails(ExitCodes.USAGE, new String[] {"--gredy", "--greedy"}, "eval", "--gredy");
    fails(ExitCodes.USAGE, new String[] {"evla", "eval"}, "evla");
    fails(ExitCodes.USAGE, new String[] {"--samples"}, "eval", "--model", "builtin:tiny", "--greedy", "--samples", "2");
  }

  @Test
  void dataThatIsNone() throws IOException {
    Path data = Files.writeString(folder.resolve("empty.jsonl"), "");
    fails(ExitCodes.DATA, new String[] {"empty.jsonl", "empty"}, "eval", "--model", "builtin:tiny", "--data", data.toString(),
        "--out", folder.resolve("a.jsonl").toString());
    Path lines = Files.writeString(folder.resolve("lines.jsonl"), "{\"prompt\": \"a\"}\nnonsense\n");
    fails(ExitCodes.DATA, new String[] {"lines.jsonl:2"}, "generate", "--model", "builtin:tiny", "--input", lines.toString());
  }

  @Test
  void answersThatCannotBeWrittenAreFoundOutBeforeTheWork() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "");
    fails(ExitCodes.IO, new String[] {"file"}, "eval", "--model", "builtin:tiny", "--out", file.resolve("below/a.jsonl").toString());
  }
}
