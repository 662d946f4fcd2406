package io.github.grpo4j.episode;

/** Why a completion ended. */
public enum FinishReason {
  /** The model sampled an end-of-sequence token, which is the completion's last token. */
  EOS,
  /** The limit on new tokens was reached. */
  LENGTH
}
