package io.github.grpo4j.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.grpo4j.testing.LargeAssets;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatTemplateTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path directory;

  /** Conversations, also with tools, as transformers' Jinja2 renders them with the templates of Qwen2.5 and of the tiny model. */
  @Test
  void reproducesTheReferenceStrings() throws IOException {
    int compared = 0;
    for (String line : resource("chats.jsonl").lines().toList()) {
      JsonNode golden = JSON.readTree(line);
      ChatTemplate template = golden.get("model").textValue().equals("tiny") ? tiny() : qwen();
      Map<String, Object> variables = JSON.convertValue(golden.get("variables"), new TypeReference<>() {});
      assertEquals(golden.get("output").textValue(), template.render(variables), line);
      compared++;
    }
    assertEquals(34, compared);
  }

  @Test
  void rendersMessages() throws IOException {
    assertEquals(
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
            + "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
        qwen().render(List.of(ChatMessage.user("Hi")), true));
    assertEquals(
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n{{ x }}<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n",
        qwen().render(List.of(ChatMessage.system("S"), ChatMessage.user("{{ x }}"), ChatMessage.assistant("A")), false));
  }

  @Test
  void promptsAreTextAroundTheQuestion() throws IOException {
    PromptTemplate chat = new PromptTemplate(PromptStyle.CHAT, "Be exact.", "Problem: {question}", "<think>");
    assertEquals(
        "<|im_start|>system\nBe exact.<|im_end|>\n<|im_start|>user\nProblem: 1+1? {question}<|im_end|>\n<|im_start|>assistant\n<think>",
        chat.render("1+1? {question}", qwen()));
    assertEquals("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", PromptTemplate.chat().render("Hi", tiny()));
    assertEquals("1+1?\n", PromptTemplate.plain().render("1+1?", null));
    assertThrows(IllegalArgumentException.class, () -> new PromptTemplate(PromptStyle.PLAIN, "", "no place", ""));
    assertThrows(IllegalArgumentException.class, () -> new PromptTemplate(PromptStyle.PLAIN, "system", "{question}", ""));
  }

  @Test
  void theRealTokenizerReadsTheRenderedPrompt() {
    Path model = LargeAssets.require("tokenizers/qwen2.5");
    try (Tokenizer tokenizer = Tokenizer.load(model)) {
      int[] ids = tokenizer.encode(ChatTemplate.load(model).render(List.of(ChatMessage.user("Hi")), true));
      assertEquals(
          List.of(151644, 8948, 198, 2610, 525, 1207, 16948, 11, 3465, 553, 54364, 14817, 13, 1446, 525, 264, 10950, 17847, 13, 151645, 198,
              151644, 872, 198, 13048, 151645, 198, 151644, 77091, 198),
          Arrays.stream(ids).boxed().toList());
    }
  }

  @Test
  void findsTheTemplateWhereverAModelKeepsIt() throws IOException {
    assertEquals(Optional.empty(), ChatTemplate.find(directory));
    assertMessage("has no chat template");
    config("{\"bos_token\": {\"content\": \"<s>\"}, \"chat_template\": \"{{ bos_token }}{{ messages[0].content }}\"}");
    assertEquals("<s>Hi", ChatTemplate.load(directory).render(List.of(ChatMessage.user("Hi")), true));
    config("{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"t\"}, {\"name\": \"default\", \"template\": \"d\"}]}");
    assertEquals("d", ChatTemplate.load(directory).render(List.of(), true));
    Files.writeString(directory.resolve("chat_template.jinja"), "file\n");
    assertEquals("file", ChatTemplate.load(directory).render(List.of(), true));
  }

  @Test
  void failuresNameFileAndLine() throws IOException {
    config("{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"t\"}]}");
    assertMessage("it has [tool_use]");
    config("{\"chat_template\": \"a\\n{% if %}\"}");
    assertMessage("tokenizer_config.json, chat_template, line 2: expected a value");
    config("{\"chat_template\": \"\\n\\n{{ raise_exception('System role not supported') }}\"}");
    ChatTemplate template = ChatTemplate.load(directory);
    String message = assertThrows(TextException.class, () -> template.render(List.of(), true)).getMessage();
    assertTrue(message.endsWith("line 3: the template refuses these messages: System role not supported."), message);
  }

  private void assertMessage(String part) {
    String message = assertThrows(TextException.class, () -> ChatTemplate.load(directory)).getMessage();
    assertTrue(message.contains(part), message);
  }

  private void config(String json) throws IOException {
    Files.writeString(directory.resolve("tokenizer_config.json"), json);
  }

  private static ChatTemplate qwen() throws IOException {
    return fromConfig(resource("qwen2.5_tokenizer_config.json"));
  }

  private static ChatTemplate tiny() throws IOException {
    return fromConfig(resource("/io/github/grpo4j/tiny/tokenizer_config.json"));
  }

  private static ChatTemplate fromConfig(String json) throws IOException {
    return ChatTemplate.of("a test", JSON.readTree(json).get("chat_template").textValue(), Map.of());
  }

  private static String resource(String name) throws IOException {
    try (InputStream stream = ChatTemplateTest.class.getResourceAsStream(name)) {
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
