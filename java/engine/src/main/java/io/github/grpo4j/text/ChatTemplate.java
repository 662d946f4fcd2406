package io.github.grpo4j.text;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.grpo4j.jinja.JinjaException;
import io.github.grpo4j.jinja.JinjaTemplate;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * How a model writes a conversation as text: the Jinja template of its directory, rendered to the byte as Hugging Face's
 * {@code apply_chat_template} does.
 *
 * <pre>{@code
 * ChatTemplate.load(modelDirectory).render(List.of(ChatMessage.user("Hi")), true);
 * // <|im_start|>system … <|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n
 * }</pre>
 *
 * <p>The template is a program from an untrusted source and runs in a sandbox, see {@link io.github.grpo4j.jinja}. Threads
 * may share a ChatTemplate.
 */
public final class ChatTemplate {
  private static final List<String> SPECIAL = List.of(
      "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token");

  private final String place;
  private final JinjaTemplate template;
  private final Map<String, String> specialTokens;

  private ChatTemplate(String place, String source, Map<String, String> specialTokens) {
    this.place = place;
    this.specialTokens = Map.copyOf(specialTokens);
    try {
      this.template = JinjaTemplate.parse(source);
    } catch (JinjaException e) {
      throw failure(e);
    }
  }

  /**
   * A template from its source.
   *
   * @param place what messages call it
   * @param specialTokens variables such as {@code bos_token}
   */
  public static ChatTemplate of(String place, String source, Map<String, String> specialTokens) {
    return new ChatTemplate(place, source, specialTokens);
  }

  /** The template of a model directory. @throws TextException if it has none, or one that is not valid */
  public static ChatTemplate load(Path directory) {
    return find(directory).orElseThrow(() -> new TextException(
        directory + " has no chat template (neither chat_template.jinja nor chat_template in tokenizer_config.json); "
            + "a model without one needs plain prompts."));
  }

  /**
   * The template of a model directory, if it has one: {@code chat_template.jinja}, else the {@code chat_template} of
   * tokenizer_config.json; of several named ones the one called "default".
   */
  public static Optional<ChatTemplate> find(Path directory) {
    Path file = directory.resolve("chat_template.jinja");
    Path configFile = directory.resolve("tokenizer_config.json");
    JsonNode config = ConfigFiles.readObject(configFile);
    Map<String, String> specialTokens = new LinkedHashMap<>();
    for (String key : SPECIAL) {
      String text = ConfigFiles.tokenText(config, key);
      if (text != null) {
        specialTokens.put(key, text);
      }
    }
    if (Files.isRegularFile(file)) {
      return Optional.of(new ChatTemplate(file.toString(), ConfigFiles.readText(file), specialTokens));
    }
    JsonNode source = config.path("chat_template");
    if (source.isMissingNode() || source.isNull()) {
      return Optional.empty();
    }
    return Optional.of(new ChatTemplate(configFile + ", chat_template", source(source, configFile), specialTokens));
  }

  private static String source(JsonNode declared, Path file) {
    if (declared.isTextual()) {
      return declared.textValue();
    }
    List<String> names = new ArrayList<>();
    for (JsonNode named : declared) {
      if (named.path("name").asText().equals("default") && named.path("template").isTextual()) {
        return named.get("template").textValue();
      }
      names.add(named.path("name").asText());
    }
    throw new TextException(file + ": chat_template is neither a text nor a list with one named \"default\"; it has " + names + ".");
  }

  /**
   * A conversation as text.
   *
   * @param addGenerationPrompt whether to end with what begins the model's completion
   * @throws TextException if the template refuses the messages or fails; the message names file and line
   */
  public String render(List<ChatMessage> messages, boolean addGenerationPrompt) {
    List<Map<String, Object>> plain = new ArrayList<>();
    for (ChatMessage message : messages) {
      plain.add(Map.of("role", message.role(), "content", message.content()));
    }
    return render(Map.of("messages", plain, "add_generation_prompt", addGenerationPrompt));
  }

  /**
   * The text for any variables: {@code messages} (with {@code tool_calls} and the like), {@code tools}, {@code
   * add_generation_prompt}, and what else a template asks for, as plain strings, numbers, booleans, lists and maps.
   */
  public String render(Map<String, ?> variables) {
    Map<String, Object> all = new LinkedHashMap<>(specialTokens);
    all.putAll(variables);
    try {
      return template.render(all);
    } catch (JinjaException e) {
      throw failure(e);
    }
  }

  private TextException failure(JinjaException e) {
    return new TextException(place + ", " + e.getMessage() + ".", e);
  }
}
