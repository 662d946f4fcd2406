package io.github.grpo4j.reward;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Calls of foreign code on worker threads, each with a deadline that begins with the call. A call that is late is interrupted and its
 * future fails; if it goes on all the same it keeps its thread, and another one takes that thread's place. Threads are daemons and end
 * when there is nothing to do.
 */
final class TimedCalls {
  /** So many threads may be lost to calls that never end; then calls fail at once. */
  static final int MAX_HANGING = 64;

  private final Duration limit;
  private final int workers;
  private final ThreadPoolExecutor pool;
  private final ScheduledThreadPoolExecutor clock;
  private int hanging;

  TimedCalls(Duration limit) {
    this.limit = limit;
    this.workers = Runtime.getRuntime().availableProcessors();
    this.pool = new ThreadPoolExecutor(workers, workers + MAX_HANGING, 1, TimeUnit.SECONDS, new LinkedBlockingQueue<>(),
        task -> daemon(task, "reward"));
    this.pool.allowCoreThreadTimeOut(true);
    this.clock = new ScheduledThreadPoolExecutor(1, task -> daemon(task, "reward-deadline"));
    this.clock.setKeepAliveTime(1, TimeUnit.SECONDS);
    this.clock.allowCoreThreadTimeOut(true);
    this.clock.setRemoveOnCancelPolicy(true);
  }

  private static Thread daemon(Runnable task, String name) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    return thread;
  }

  /** @return fails with what the call throws, with {@link TimeoutException} if it is late or may not even begin */
  <T> CompletableFuture<T> call(Callable<T> work) {
    Call<T> call = new Call<>(work);
    pool.execute(call);
    return call.result;
  }

  private synchronized void resize(int change) {
    hanging += change;
    pool.setCorePoolSize(workers + Math.min(hanging, MAX_HANGING));
  }

  private synchronized boolean isExhausted() {
    return hanging >= MAX_HANGING;
  }

  /** One call; its lock orders its end and its deadline. */
  private final class Call<T> implements Runnable {
    private final Callable<T> work;
    private final CompletableFuture<T> result = new CompletableFuture<>();
    private Thread runner;
    private boolean late;

    Call(Callable<T> work) {
      this.work = work;
    }

    @Override
    public void run() {
      if (isExhausted()) {
        result.completeExceptionally(new TimeoutException("was not called: " + MAX_HANGING + " earlier calls hang"));
        return;
      }
      synchronized (this) {
        runner = Thread.currentThread();
      }
      ScheduledFuture<?> deadline = clock.schedule(this::deadline, limit.toMillis(), TimeUnit.MILLISECONDS);
      try {
        T value = work.call();
        if (endsInTime(deadline)) {
          result.complete(value);
        }
      } catch (Throwable failed) { // also a stack that overflows, as a regular expression can make it
        if (endsInTime(deadline)) {
          result.completeExceptionally(failed);
        }
      }
    }

    private synchronized boolean endsInTime(ScheduledFuture<?> deadline) {
      deadline.cancel(false);
      runner = null;
      Thread.interrupted(); // of this call, not of the next one on this thread
      if (late) {
        resize(-1);
      }
      return !late;
    }

    private void deadline() {
      synchronized (this) {
        if (runner == null) {
          return;
        }
        late = true;
        resize(1);
        runner.interrupt();
      }
      result.completeExceptionally(new TimeoutException("took longer than " + limit.toMillis() / 1e3 + " s"));
    }
  }
}
