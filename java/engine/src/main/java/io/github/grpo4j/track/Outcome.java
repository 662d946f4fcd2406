package io.github.grpo4j.track;

/** How a run ended. */
public enum Outcome {
  /** All its steps are done. */
  COMPLETED,
  /** It was asked to stop and can go on from its last checkpoint. */
  STOPPED,
  /** An error ended it; only trackers see this value, since the run itself throws. */
  FAILED
}
