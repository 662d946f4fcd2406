package io.github.grpo4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commands that run or look into a model, on the built-in one. */
class ModelCommandsTest {
  private static final String TINY = "builtin:tiny";
  private static final String QUESTION = "Sam has 3 bags of 4 cups. How many cups in all?\n";

  @TempDir Path folder;

  @Test
  void generateStreamsTheSameTextAsJsonGives() {
    ObjectNode json = CommandRun.ok("generate", "--model", TINY, "--prompt", QUESTION, "--greedy", "--max-new-tokens", "30", "--json").json().get(0);
    assertEquals("eos", json.path("finish_reason").asText());
    assertEquals(json.path("new_ids").size(), json.path("logprobs").size());
    assertEquals(json.path("new_ids").size(), json.path("entropies").size());
    CommandRun text = CommandRun.ok("generate", "--model", TINY, "--prompt", QUESTION, "--greedy", "--max-new-tokens", "30");
    assertEquals(json.path("text").asText().replace("<|im_end|>", ""), text.out().stripTrailing());
  }

  @Test
  void promptsComeAsTextIdsOrMessages() throws IOException {
    Path chat = Files.writeString(folder.resolve("chat.jsonl"),
        "{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", \"content\": \"Hi\"}]}\n");
    JsonNode messages = CommandRun.ok("generate", "--model", TINY, "--input", chat.toString(), "--max-new-tokens", "2", "--json").json().get(0);
    JsonNode options = CommandRun.ok(
        "generate", "--model", TINY, "--chat", "Hi", "--system", "Be brief.", "--max-new-tokens", "2", "--json").json().get(0);
    assertEquals(messages, options);
    String rendered = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
    Path others = folder.resolve("others.jsonl");
    Files.writeString(others, JsonLines.JSON.createObjectNode().put("prompt", rendered) + "\n"
        + JsonLines.JSON.createObjectNode().set("prompt_ids", messages.get("prompt_ids")) + "\n");
    for (ObjectNode other : CommandRun.ok("generate", "--model", TINY, "--input", others.toString(), "--max-new-tokens", "2", "--json").json()) {
      assertEquals(messages.get("prompt_ids"), other.get("prompt_ids"));
    }
  }

  @Test
  void scoreGivesTheLogProbsThatGenerateSaw() throws IOException {
    List<ObjectNode> sampled = CommandRun.ok("generate", "--model", TINY, "--prompt", QUESTION, "--answers", "5", "--max-new-tokens", "30", "--json").json();
    assertEquals(5, sampled.size());
    StringBuilder lines = new StringBuilder();
    for (ObjectNode answer : sampled) {
      ObjectNode line = JsonLines.JSON.createObjectNode();
      line.set("prompt_ids", answer.get("prompt_ids"));
      line.set("completion_ids", answer.get("new_ids"));
      lines.append(line).append('\n');
    }
    Path input = Files.writeString(folder.resolve("score.jsonl"), lines);
    List<ObjectNode> scored = CommandRun.ok("score", "--model", TINY, "--input", input.toString(), "--json").json();
    for (int i = 0; i < sampled.size(); i++) {
      assertEquals(sampled.get(i).get("logprobs"), scored.get(i).get("logprobs"), "decoding and training agree to the bit");
    }
  }

  @Test
  void tokenizeGoesThereAndBack() throws IOException {
    Path input = folder.resolve("lines.jsonl");
    Files.writeString(input, "{\"text\": \"Sam has 12 pens.\"}\n");
    ObjectNode there = CommandRun.ok("tokenize", "--model", TINY, "--input", input.toString(), "--json").json().get(0);
    Files.writeString(input, "{\"ids\": " + there.get("ids") + "}\n");
    assertEquals(there, CommandRun.ok("tokenize", "--model", TINY, "--input", input.toString(), "--json").json().get(0));
  }

  @Test
  void evalKeepsEveryAnswerAndCountsThem() throws IOException {
    Path answers = folder.resolve("deep/answers.jsonl");
    ObjectNode result = CommandRun.ok("eval", "--model", TINY, "--limit", "20", "--samples", "3", "--out", answers.toString(), "--json").json().get(0);
    List<JsonLines.Line> kept = JsonLines.read(answers);
    assertEquals(60, kept.size());
    long right = kept.stream().filter(line -> line.object().path("rewards/answer").asDouble() == 1).count();
    assertEquals(right, result.path("right").asLong());
    assertEquals(right / 60.0, result.path("accuracy").asDouble());
    assertTrue(result.path("accuracy_low").asDouble() < result.path("accuracy").asDouble());
    assertTrue(result.path("accuracy_high").asDouble() > result.path("accuracy").asDouble());
    ObjectNode again = CommandRun.ok("eval", "--model", TINY, "--limit", "20", "--samples", "3", "--out", answers.toString(), "--json").json().get(0);
    assertEquals(right, again.path("right").asLong());
  }

  @Test
  void evalReadsAFileOfQuestionsAndAnswers() throws IOException {
    Path data = Files.writeString(folder.resolve("problems.jsonl"),
        "{\"question\": \"Sam has 3 bags of 4 cups. How many cups in all?\", \"answer\": \"3*4=12\\n#### 12\"}\n");
    CommandRun run = CommandRun.ok("eval", "--model", TINY, "--data", data.toString(), "--greedy", "--out", folder.resolve("a.jsonl").toString());
    assertTrue(run.out().contains("1 problems, greedy"), run.out());
    assertTrue(run.out().contains("of 1"), run.out());
  }

  @Test
  void inspectTellsWhatTheModelIs() {
    ObjectNode json = CommandRun.ok("inspect", TINY, "--json").json().get(0);
    assertEquals("Qwen2ForCausalLM", json.path("architecture").asText());
    assertEquals(354_528, json.path("parameters").asLong());
    assertEquals(4 * 354_528, json.path("bytes").path("F32").asLong());
    assertEquals(371, json.path("tokenizer").path("eos_id").asInt());
    assertTrue(json.path("checkpoint").isNull() && json.path("weights_problem").isNull());
    assertTrue(CommandRun.ok("inspect", TINY).out().contains("with chat template"));
  }

  @Test
  void benchKeepsWhatItPrints() throws IOException {
    Path out = folder.resolve("bench/kernels.jsonl");
    List<ObjectNode> printed = CommandRun.ok("bench", "kernels", "--model", TINY, "--op", "RMS_NORM", "--sequences", "3", "--length", "50",
        "--device", "cpu", "--json", "--out", out.toString()).json();
    assertEquals(printed, JsonLines.read(out).stream().map(JsonLines.Line::object).toList());
    assertEquals("150 x 96", printed.get(1).path("shape").asText());
    assertTrue(printed.get(0).path("gflops").asDouble() > 0 && printed.get(1).path("us").asDouble() > 0);
    CommandRun table = CommandRun.ok("bench", "rollout", "--model", TINY, "--prompt-tokens", "5", "--new-tokens", "3", "--answers", "2", "--repeat", "1",
        "--device", "cpu", "--out", out.toString());
    assertTrue(table.out().contains("ms a step"), table.out());
    assertEquals(2, JsonLines.read(out).get(0).object().path("answers").asInt());
  }

  @Test
  void planAddsUpAndSaysWhatDoesNotFit() {
    ObjectNode json = CommandRun.ok("plan", "--model", TINY, "--json").json().get(0);
    long sum = 0;
    for (JsonNode part : json.path("parts")) {
      sum += part.path("bytes").asLong();
    }
    assertEquals(sum, json.path("total_bytes").asLong());
    CommandRun tooLarge = CommandRun.of("plan", "--model", TINY, "--set", "training.micro_batch_tokens=2000000000");
    assertEquals(ExitCodes.UNAVAILABLE, tooLarge.code());
    assertTrue(tooLarge.out().contains("does not fit") && tooLarge.out().contains("training.recompute=layer"), tooLarge.out());
  }

  /** Without a GPU, too: what one would have to hold, and what of the optimizer stays with the machine. */
  @Test
  void planOfARunOnAGpuHasTwoMemories() {
    String[] options = {"plan", "--model", TINY, "--set", "backend.device=cuda", "--set", "optimizer.placement=offload"};
    CommandRun table = CommandRun.ok(options);
    assertTrue(table.out().contains("GPU memory:") && table.out().contains("page-locked"), table.out());
    ObjectNode json = CommandRun.ok(Stream.concat(Stream.of(options), Stream.of("--json")).toArray(String[]::new)).json().get(0);
    Map<String, Long> sums = new HashMap<>();
    for (JsonNode part : json.path("parts")) {
      sums.merge(part.path("memory").asText(), part.path("bytes").asLong(), Long::sum);
    }
    assertEquals(Map.of("gpu", json.path("gpu_total_bytes").asLong(), "machine", json.path("total_bytes").asLong()), sums);
  }
}
