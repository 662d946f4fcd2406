package io.github.grpo4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A small run from the command line, and what the other commands find in its directory. */
class TrainCommandTest {
  private static final String CONFIG = """
      model: {path: "builtin:tiny"}
      data: {kind: synthetic, train_limit: 100, eval_limit: 10, max_prompt_tokens: 96}
      prompt: {chat: false, system: "", user: "{question}\\n", response_prefix: ""}
      rollout: {questions_per_step: 4, answers_per_question: 4, max_new_tokens: 30}
      reward: {kind: gsm8k}
      optimizer: {learning_rate: 4.0e-4}
      training: {max_steps: 4, eval_interval: 2, checkpoint_interval: 2, micro_batch_tokens: 512}
      """;

  @TempDir Path folder;

  private CommandRun train(String... more) throws IOException {
    Path config = Files.writeString(folder.resolve("config.yaml"), CONFIG);
    List<String> args = new ArrayList<>(List.of("train", "--config", config.toString(), "--run-dir", folder.resolve("run").toString()));
    args.addAll(List.of(more));
    return CommandRun.of(args.toArray(String[]::new));
  }

  @Test
  void aRunStopsResumesAndIsLookedInto() throws IOException {
    Path run = folder.resolve("run");
    CommandRun first = train("--stop-after", "2", "--json");
    assertEquals(ExitCodes.OK, first.code(), first.err());
    assertEquals("stopped", first.json().get(first.json().size() - 1).path("event").asText());

    ObjectNode stopped = CommandRun.ok("inspect", run.toString(), "--json").json().get(0);
    assertEquals(2, stopped.path("checkpoint").path("step").asInt());
    assertTrue(stopped.path("checkpoint").path("verified").asBoolean());

    CommandRun second = train();
    assertEquals(ExitCodes.OK, second.code(), second.err());
    assertTrue(second.out().contains("going on from") && second.out().contains("Done in"), second.out());
    assertFalse(second.out().contains("\u001B"), "no colours and no progress line where nobody sits at a terminal");

    ObjectNode evaluated = CommandRun.ok(
        "eval", "--model", run.toString(), "--greedy", "--out", folder.resolve("answers.jsonl").toString(), "--json").json().get(0);
    assertEquals(10, evaluated.path("problems").asInt(), "the run's own configuration is what eval goes by");
    String metrics = Files.readAllLines(run.resolve("metrics.jsonl")).get(4);
    assertEquals(JsonLines.parse("metrics", metrics).path("eval/accuracy_greedy").asDouble(), evaluated.path("accuracy").asDouble());
  }

  @Test
  void damageIsFoundAndPassedOver() throws IOException {
    assertEquals(ExitCodes.OK, train("--stop-after", "3").code());
    Path newest = folder.resolve("run/checkpoints/step_000003");
    Files.write(newest.resolve("optimizer.safetensors"), new byte[1], StandardOpenOption.APPEND);
    CommandRun inspected = CommandRun.of("inspect", newest.toString());
    assertEquals(ExitCodes.DATA, inspected.code());
    assertTrue(inspected.out().contains("damaged: optimizer.safetensors has"), inspected.out());
    CommandRun resumed = train();
    assertEquals(ExitCodes.OK, resumed.code(), resumed.err());
    assertTrue(resumed.out().contains("step_000002") && resumed.out().contains("passed over"), resumed.out());
  }

  @Test
  void printConfigShowsWhatWouldRun() throws IOException {
    CommandRun printed = train("--set", "rollout.temperature=0.7", "--print-config");
    assertEquals(ExitCodes.OK, printed.code());
    assertTrue(printed.out().contains("temperature: 0.7") && printed.out().contains("run_dir: " + folder.resolve("run")), printed.out());
    assertFalse(Files.exists(folder.resolve("run")));
  }
}
