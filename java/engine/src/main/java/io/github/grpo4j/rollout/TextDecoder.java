package io.github.grpo4j.rollout;

/** Token ids to text, special tokens kept: the tokenizer as the generator sees it. */
@FunctionalInterface
public interface TextDecoder {
  String decode(int[] ids);
}
