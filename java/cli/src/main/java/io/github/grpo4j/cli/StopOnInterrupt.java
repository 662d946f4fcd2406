package io.github.grpo4j.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Turns Ctrl-C (or a polite kill) into a request to stop, and keeps the process alive until the work has ended in good order.
 * The exit code is then 130, or 143 after a kill.
 */
final class StopOnInterrupt implements AutoCloseable {
  private static final long PATIENCE_MINUTES = 30;

  private final CountDownLatch ended = new CountDownLatch(1);
  private final Thread hook;

  StopOnInterrupt(Runnable requestStop) {
    this.hook = new Thread(() -> {
      requestStop.run();
      try {
        ended.await(PATIENCE_MINUTES, TimeUnit.MINUTES);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }, "stop-on-interrupt");
    Runtime.getRuntime().addShutdownHook(hook);
  }

  @Override
  public void close() {
    ended.countDown();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The shutdown is under way: the hook has just been let go.
      return;
    }
  }
}
