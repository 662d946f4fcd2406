package io.github.grpo4j.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.data.DataException;
import io.github.grpo4j.rollout.RolloutRequest;
import io.github.grpo4j.text.ChatMessage;
import io.github.grpo4j.text.ChatTemplate;
import io.github.grpo4j.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Where prompts come from: one of these. */
final class PromptOptions {
  @Option(names = "--prompt", paramLabel = "TEXT", description = "Raw text that the model continues.")
  private String prompt;

  @Option(names = "--chat", paramLabel = "TEXT", description = "A user's message, put through the model's chat template.")
  private String chat;

  @Option(names = "--input", paramLabel = "FILE",
      description = "JSON lines with prompt (raw text), prompt_ids, or messages (and tools) of a chat; - is standard input.")
  private Path input;

  boolean isChat() {
    return chat != null;
  }

  /** @param system message of {@code --chat}, or null */
  List<RolloutRequest> requests(Path directory, Optional<Tokenizer> tokenizer, String system, int answers) throws IOException {
    Source source = new Source(directory, tokenizer);
    List<RolloutRequest> requests = new ArrayList<>();
    if (prompt != null) {
      requests.add(request(0, source.encode(prompt, "--prompt"), "--prompt", answers));
    } else if (chat != null) {
      List<ChatMessage> messages = new ArrayList<>();
      if (system != null) {
        messages.add(ChatMessage.system(system));
      }
      messages.add(ChatMessage.user(chat));
      requests.add(request(0, source.encode(source.template().render(messages, true), "--chat"), "--chat", answers));
    } else {
      for (JsonLines.Line line : JsonLines.read(input)) {
        requests.add(request(requests.size(), source.ids(line), line.where(), answers));
      }
    }
    return requests;
  }

  private static RolloutRequest request(int index, int[] ids, String where, int answers) {
    if (ids.length == 0) {
      throw new DataException(where + ": the prompt is empty");
    }
    return new RolloutRequest(index, ids, answers);
  }

  /** Turns what lines hold into token ids. */
  private static final class Source {
    private final Path directory;
    private final Optional<Tokenizer> tokenizer;
    private ChatTemplate template;

    Source(Path directory, Optional<Tokenizer> tokenizer) {
      this.directory = directory;
      this.tokenizer = tokenizer;
    }

    int[] ids(JsonLines.Line line) {
      long kinds = List.of("prompt", "prompt_ids", "messages").stream().filter(line.object()::has).count();
      if (kinds != 1) {
        throw new DataException(line.where() + " must have one of prompt, prompt_ids and messages, but has " + (kinds == 0 ? "none" : kinds)
            + " of them");
      }
      if (line.object().has("prompt_ids")) {
        return line.ids("prompt_ids");
      }
      return encode(line.object().has("messages") ? template().render(variables(line)) : line.text("prompt"), line.where());
    }

    int[] encode(String text, String where) {
      return tokenizer.orElseThrow(() -> new DataException(where + " is text, but " + directory + " has no tokenizer.json; give prompt_ids"))
          .encode(text);
    }

    ChatTemplate template() {
      if (template == null) {
        template = ChatTemplate.load(directory);
      }
      return template;
    }

    /** Everything of the line goes to the template, as transformers hands tools and further keys on. */
    private static Map<String, Object> variables(JsonLines.Line line) {
      ObjectNode object = line.object();
      JsonNode messages = object.get("messages");
      if (!messages.isArray() || messages.isEmpty()) {
        throw new DataException(line.where() + ": messages must be an array of at least one message");
      }
      for (JsonNode message : messages) {
        if (!message.path("role").isTextual()) {
          throw new DataException(line.where() + ": every message must be an object with role and content, but one is " + message);
        }
      }
      Map<String, Object> variables = new LinkedHashMap<>();
      variables.put("add_generation_prompt", true);
      object.fields().forEachRemaining(field -> variables.put(field.getKey(), JsonLines.JSON.convertValue(field.getValue(), Object.class)));
      return variables;
    }
  }
}
