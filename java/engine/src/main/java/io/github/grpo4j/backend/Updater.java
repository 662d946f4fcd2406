package io.github.grpo4j.backend;

/** Where the arithmetic of {@link StreamedAdamW} is done. */
public enum Updater {
  /** On the device: states travel there and back. */
  DEVICE,
  /** On the host: gradients travel there, new weights back. */
  HOST
}
