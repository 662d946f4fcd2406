package io.github.grpo4j.text;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * How a question is put to the model.
 *
 * <pre>
 *   CHAT:   template(system, user with the question) + responsePrefix
 *   PLAIN:  user with the question + responsePrefix
 * </pre>
 *
 * @param system the system message of a chat; empty leaves the choice to the model's template, which may have its own
 * @param user the user's text, with {@code {question}} where the question goes
 * @param responsePrefix what the completion begins with, such as {@code <think>}: written for the model, not by it
 */
public record PromptTemplate(PromptStyle style, String system, String user, String responsePrefix) {
  private static final String QUESTION = "{question}";

  public PromptTemplate {
    Objects.requireNonNull(style, "style");
    if (!user.contains(QUESTION)) {
      throw new IllegalArgumentException("prompt.user must contain " + QUESTION + " where the question goes; it is \"" + user + "\"");
    }
    if (style == PromptStyle.PLAIN && !system.isEmpty()) {
      throw new IllegalArgumentException("prompt.system needs prompt.chat true; a plain prompt has no system message");
    }
  }

  /** The question and a newline, nothing else. */
  public static PromptTemplate plain() {
    return new PromptTemplate(PromptStyle.PLAIN, "", QUESTION + "\n", "");
  }

  /** The question as the user's message. */
  public static PromptTemplate chat() {
    return new PromptTemplate(PromptStyle.CHAT, "", QUESTION, "");
  }

  /**
   * The prompt's text; braces inside the question are never read as placeholders.
   *
   * @param chat the model's template; not used, and may be null, for plain prompts
   */
  public String render(String question, ChatTemplate chat) {
    String asked = user.replace(QUESTION, question);
    if (style == PromptStyle.PLAIN) {
      return asked + responsePrefix;
    }
    List<ChatMessage> messages = new ArrayList<>();
    if (!system.isEmpty()) {
      messages.add(ChatMessage.system(system));
    }
    messages.add(ChatMessage.user(asked));
    return chat.render(messages, true) + responsePrefix;
  }
}
