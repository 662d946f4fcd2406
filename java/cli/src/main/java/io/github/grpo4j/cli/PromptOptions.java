package io.github.grpo4j.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.grpo4j.data.DataException;
import io.github.grpo4j.rollout.RolloutRequest;
import io.github.grpo4j.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Where prompts come from: one of these. */
final class PromptOptions {
  @Option(names = "--prompt", paramLabel = "TEXT", description = "Raw text that the model continues.")
  String prompt;

  @Option(names = "--input", paramLabel = "FILE",
      description = "JSON lines with prompt (raw text) or prompt_ids; - is standard input.")
  Path input;

  List<RolloutRequest> requests(Path directory, Optional<Tokenizer> tokenizer, int answers) throws IOException {
    List<RolloutRequest> requests = new ArrayList<>();
    if (prompt != null) {
      requests.add(new RolloutRequest(0, encode(prompt, "--prompt", tokenizer, directory), answers));
      return requests;
    }
    for (JsonLines.Line line : JsonLines.read(input)) {
      JsonNode ids = line.object().path("prompt_ids");
      int[] tokens = ids.isMissingNode() ? encode(line.text("prompt"), line.where(), tokenizer, directory) : line.ids("prompt_ids");
      if (tokens.length == 0) {
        throw new DataException(line.where() + ": the prompt is empty");
      }
      requests.add(new RolloutRequest(requests.size(), tokens, answers));
    }
    return requests;
  }

  private static int[] encode(String text, String where, Optional<Tokenizer> tokenizer, Path directory) {
    return tokenizer.orElseThrow(() -> new DataException(where + " is text, but " + directory + " has no tokenizer.json; give prompt_ids"))
        .encode(text);
  }
}
