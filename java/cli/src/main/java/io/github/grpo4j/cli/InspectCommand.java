package io.github.grpo4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.run.Inspection;
import io.github.grpo4j.run.Inspection.CheckpointFacts;
import io.github.grpo4j.run.Inspection.TokenizerFacts;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code grpo4j inspect}: what a model or checkpoint directory holds. */
@Command(name = "inspect", mixinStandardHelpOptions = true, description = "What a model or checkpoint holds, and whether it is whole; weights are not loaded.")
final class InspectCommand implements Callable<Integer> {
  @Parameters(paramLabel = "DIR", description = "Model directory, run directory, checkpoint, or builtin:tiny.")
  private String directory;

  @Option(names = "--json", description = "One JSON object instead of the table.")
  private boolean json;

  @Override
  public Integer call() {
    Inspection inspection = Inspection.of(directory);
    if (json) {
      JsonLines.print(System.out, toJson(directory, inspection));
    } else {
      print(Terminal.detect(), directory, inspection);
    }
    boolean whole = inspection.weightsProblem().isEmpty() && inspection.checkpoint().flatMap(CheckpointFacts::damage).isEmpty();
    return whole ? ExitCodes.OK : ExitCodes.DATA;
  }

  private static void print(Terminal terminal, String name, Inspection inspection) {
    ModelConfig config = inspection.config();
    terminal.line(terminal.bold(name));
    if (!name.startsWith("builtin:")) {
      row(terminal, "model", inspection.model().toString());
    }
    row(terminal, "architecture", config.describe());
    row(terminal, "positions", String.format(Locale.ROOT, "%,d, rope theta %,.0f", config.maxPositions(), config.ropeTheta()));
    row(terminal, "weights", String.format(Locale.ROOT, "%,d tensors, %s", inspection.tensors(), inspection.bytes().entrySet().stream()
        .map(entry -> String.format(Locale.ROOT, "%s %,.1f MiB", entry.getKey(), entry.getValue() / (double) (1 << 20)))
        .collect(Collectors.joining(", "))));
    inspection.weightsProblem().ifPresent(problem -> row(terminal, "", terminal.yellow(problem)));
    row(terminal, "tokenizer", inspection.tokenizer().map(InspectCommand::describe).orElse("none: only token ids go in and out"));
    inspection.checkpoint().ifPresent(checkpoint -> {
      row(terminal, "checkpoint", String.format(Locale.ROOT, "step %,d, %,d optimizer steps, %,d tokens, %,d updates skipped", checkpoint.step(),
          checkpoint.optimizerSteps(), checkpoint.numTokens(), checkpoint.skippedUpdates()));
      row(terminal, "manifest", checkpoint.damage().map(damage -> terminal.yellow("damaged: " + damage)).orElse(terminal.green("verified")));
    });
  }

  private static void row(Terminal terminal, String name, String value) {
    terminal.line(String.format(Locale.ROOT, "  %-13s %s", name, value));
  }

  private static String describe(TokenizerFacts tokenizer) {
    return String.format(Locale.ROOT, "%,d tokens, end %s, stops at %s, %s chat template", tokenizer.vocabUsed(),
        tokenizer.eos().isPresent() ? tokenizer.eos().getAsInt() : "none", tokenizer.stop(), tokenizer.chatTemplate() ? "with" : "no");
  }

  private static ObjectNode toJson(String name, Inspection inspection) {
    ModelConfig config = inspection.config();
    ObjectNode object = JsonLines.JSON.createObjectNode();
    object.put("name", name).put("path", inspection.model().toString()).put("architecture", config.family().architecture())
        .put("parameters", config.parameterCount()).put("hidden_size", config.hiddenSize()).put("layers", config.layers())
        .put("heads", config.heads()).put("kv_heads", config.kvHeads()).put("head_dim", config.headDim())
        .put("intermediate_size", config.intermediateSize()).put("vocab_size", config.vocabSize())
        .put("max_positions", config.maxPositions()).put("tied", config.tied()).put("tensors", inspection.tensors());
    ObjectNode bytes = object.putObject("bytes");
    inspection.bytes().forEach((type, size) -> bytes.put(type.name(), size));
    object.put("weights_problem", inspection.weightsProblem().orElse(null));
    if (inspection.tokenizer().isEmpty()) {
      object.putNull("tokenizer");
    } else {
      TokenizerFacts tokenizer = inspection.tokenizer().get();
      ObjectNode node = object.putObject("tokenizer").put("vocab_used", tokenizer.vocabUsed())
          .put("eos_id", tokenizer.eos().isPresent() ? (Integer) tokenizer.eos().getAsInt() : null);
      node.set("stop_ids", JsonLines.array(tokenizer.stop().stream().mapToInt(Integer::intValue).toArray()));
      node.put("chat_template", tokenizer.chatTemplate());
    }
    if (inspection.checkpoint().isEmpty()) {
      object.putNull("checkpoint");
    } else {
      CheckpointFacts checkpoint = inspection.checkpoint().get();
      object.putObject("checkpoint").put("path", checkpoint.folder().toString()).put("step", checkpoint.step())
          .put("verified", checkpoint.damage().isEmpty()).put("damage", checkpoint.damage().orElse(null))
          .put("optimizer_steps", checkpoint.optimizerSteps()).put("num_tokens", checkpoint.numTokens())
          .put("skipped_updates", checkpoint.skippedUpdates());
    }
    return object;
  }
}
