package io.github.grpo4j.text;

/** Whether a prompt is a conversation in the model's chat format or bare text. */
public enum PromptStyle {
  /** System and user message through the {@link ChatTemplate}, then the beginning of the answer. */
  CHAT,
  /** The user text alone: for base models and models trained on bare prompts. */
  PLAIN
}
