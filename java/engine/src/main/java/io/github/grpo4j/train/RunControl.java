package io.github.grpo4j.train;

import java.util.concurrent.CancellationException;
import java.util.function.Supplier;

/**
 * Lets any thread ask a run to end soon and in good order. A rollout or an evaluation is interrupted, since it changes nothing;
 * an update is waited for, since half of one is no state to keep.
 */
final class RunControl {
  private final Object lock = new Object();
  private volatile boolean stopRequested;
  private Thread interruptible;

  void requestStop() {
    synchronized (lock) {
      stopRequested = true;
      if (interruptible != null) {
        interruptible.interrupt();
      }
    }
  }

  boolean stopRequested() {
    return stopRequested;
  }

  /** @throws CancellationException if a stop was requested before or during the work */
  <T> T interruptibly(Supplier<T> work) {
    synchronized (lock) {
      if (stopRequested) {
        throw new CancellationException();
      }
      interruptible = Thread.currentThread();
    }
    try {
      return work.get();
    } finally {
      synchronized (lock) {
        interruptible = null;
        // An interrupt that came too late for the work must not hit the files that are written next.
        if (stopRequested) {
          Thread.interrupted();
        }
      }
    }
  }
}
