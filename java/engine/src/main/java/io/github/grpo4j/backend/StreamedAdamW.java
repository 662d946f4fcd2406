package io.github.grpo4j.backend;

import java.util.List;

/**
 * AdamW on all parameters of a model, states in the host's memory, in buckets: while one is being updated, the next one is on its way
 * in and the one before on its way out. Same bits as {@link Backend#adamw} on this back end.
 */
public interface StreamedAdamW extends AutoCloseable {
  /**
   * Sets the first buckets out while the device is still busy with the backward pass. Optional; nothing may write to the states
   * between this and the step.
   */
  void prefetch();

  /**
   * One step.
   *
   * @param grads F32, one of each parameter in the order of the states, on the device
   * @param settings likewise
   */
  void step(List<Tensor> grads, List<AdamWSettings> settings);

  @Override
  void close();
}
