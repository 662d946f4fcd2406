package io.github.grpo4j.config;

import io.github.grpo4j.options.Check;

/**
 * How a problem is put to the model.
 *
 * @param chat true: system and user message go through the model's chat template; false: the prompt is the user text alone
 * @param system system message; empty: none
 * @param user text of the user message; {@value #QUESTION} stands for the problem
 * @param responsePrefix how every answer begins, put into the model's mouth: {@code <think>} opens a think block
 */
public record PromptOptions(boolean chat, String system, String user, String responsePrefix) {
  /** Placeholder of the problem's text. */
  public static final String QUESTION = "{question}";

  static final PromptOptions DEFAULTS = new PromptOptions(
      true,
      "You are a careful assistant. You think about a problem step by step before you answer it.",
      "Solve this problem. Reason inside <think> </think>, then give the final number alone inside <answer> </answer>.\n\n" + QUESTION,
      "<think>");

  public PromptOptions {
    Check.that(user.contains(QUESTION), "prompt.user", user, "a text that contains " + QUESTION);
    Check.that(chat || system.isEmpty(), "prompt.system", system, "empty where prompt.chat is false: only a chat template has a system message");
  }
}
