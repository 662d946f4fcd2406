package io.github.grpo4j.backend;

/** Remembers sequences of calls, such as those of a decoding step, so that a back end can queue each as a whole. */
public interface Replay extends AutoCloseable {
  /**
   * Runs the work, or what was recorded of it. Work of equal keys makes the same calls on the same memory with the same
   * settings every time, and none that moves data between host and device; only what the tensors hold differs.
   */
  void run(Object key, Runnable work);

  /**
   * How many runs a host does well to have queued before it reads what the first of them gave, so that the device never waits
   * for the host: 0 where work is done when its call returns.
   */
  int runsAhead();

  /** The number of rows that work is best padded to, at least {@code rows}, so that few sizes are recorded. */
  int paddedRows(int rows);

  @Override
  void close();
}
