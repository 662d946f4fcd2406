package io.github.grpo4j.track;

import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

/**
 * A tracker behind a bounded queue, on a daemon thread of its own. Handing it an event takes no time: one that finds the queue full is
 * dropped. A tracker that throws gets no more events. Both are told once.
 */
final class BackgroundTracker {
  /** Events may hold all completions of a step, so few of them wait. */
  private static final int WAITING = 64;

  private final Tracker tracker;
  private final BlockingQueue<Consumer<Tracker>> queue = new ArrayBlockingQueue<>(WAITING);
  private final AtomicReference<String> trouble = new AtomicReference<>();
  private final Thread thread;
  private boolean told;
  private volatile boolean failed;
  private volatile boolean ending;

  BackgroundTracker(Tracker tracker) {
    this.tracker = tracker;
    this.thread = new Thread(this::work, "tracker-" + name());
    this.thread.setDaemon(true);
    this.thread.start();
  }

  /** Hands over an event; it is left out if the tracker has failed or cannot keep up. */
  void offer(Consumer<Tracker> event) {
    if (!failed && !queue.offer(event)) {
      trouble.compareAndSet(null, "the tracker " + name()
          + " cannot keep up with the run: what it has no time for is left out of its record");
    }
  }

  /** A sentence on what went wrong, the first time that there is one. */
  Optional<String> warning() {
    String found = told ? null : trouble.get();
    told |= found != null;
    return Optional.ofNullable(found);
  }

  /** The tracker ends after the events that wait. */
  void finish(Outcome outcome) {
    offer(open -> open.finish(outcome));
    ending = true;
  }

  /** Waits until it has ended; at the deadline, a {@link System#nanoTime}, it is left behind. */
  void await(long deadline) {
    try {
      while (thread.isAlive() && System.nanoTime() - deadline < 0) {
        thread.join(10);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (thread.isAlive()) {
      trouble.compareAndSet(null, "the tracker " + name()
          + " does not come to an end and is left behind: its record may lack the last steps");
      thread.interrupt();
    }
  }

  private void work() {
    try {
      while (!ending || !queue.isEmpty()) {
        Consumer<Tracker> event = queue.poll(100, TimeUnit.MILLISECONDS);
        if (event != null) {
          event.accept(tracker);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (Throwable e) {
      fail(e);
    } finally {
      close();
    }
  }

  /** Whatever is thrown: a tracker comes from outside, and its missing library must not reach the run either. */
  private void fail(Throwable e) {
    trouble.compareAndSet(null, "the tracker " + name() + " has failed and gets no more of the run: " + e);
    failed = true;
    queue.clear();
  }

  private void close() {
    try {
      tracker.close();
    } catch (Throwable e) {
      fail(e);
    }
  }

  private String name() {
    return tracker.getClass().getSimpleName().isEmpty() ? tracker.getClass().getName() : tracker.getClass().getSimpleName();
  }
}
