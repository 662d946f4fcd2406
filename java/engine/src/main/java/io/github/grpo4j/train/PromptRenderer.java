package io.github.grpo4j.train;

import io.github.grpo4j.train.config.ConfigException;
import io.github.grpo4j.train.config.PromptOptions;
import java.nio.file.Path;

/** Puts a question to the model: the user text alone, or system and user message through the model's chat template. */
final class PromptRenderer {
  private final PromptOptions options;

  private PromptRenderer(PromptOptions options) {
    this.options = options;
  }

  static PromptRenderer of(PromptOptions options, Path modelDirectory) {
    if (options.chat()) {
      throw new ConfigException("prompt.chat needs a chat template, and " + modelDirectory + " has none");
    }
    return new PromptRenderer(options);
  }

  String render(String question) {
    return options.userText(question) + options.responsePrefix();
  }
}
