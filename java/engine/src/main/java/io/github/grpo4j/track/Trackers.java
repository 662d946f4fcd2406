package io.github.grpo4j.track;

import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * All trackers of a run: its own record first, which the run waits for, then any number of others, each on its own thread. To be used
 * from the run's thread.
 */
public final class Trackers implements AutoCloseable {
  /** How long a run that has ended waits for its trackers to end. */
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private final RunRecord record;
  private final List<BackgroundTracker> others;
  private final Consumer<String> warnings;
  private final Duration patience;
  private boolean started;
  private boolean closed;
  private Outcome outcome = Outcome.STOPPED;

  /** @param warnings gets a sentence for each tracker that fails, on the thread of the run */
  public Trackers(RunRecord record, List<Tracker> others, Consumer<String> warnings) {
    this(record, others, warnings, PATIENCE);
  }

  Trackers(RunRecord record, List<Tracker> others, Consumer<String> warnings, Duration patience) {
    this.record = record;
    this.others = others.stream().map(BackgroundTracker::new).toList();
    this.warnings = warnings;
    this.patience = patience;
  }

  /** The first call counts: a run that is continued in the same process is still the same to its trackers. */
  public void start(RunInfo run) {
    if (!started) {
      started = true;
      record.start(run);
      tell(tracker -> tracker.start(run));
    }
  }

  public void metrics(long step, Map<String, ? extends Number> metrics) {
    record.metrics(step, metrics);
    Map<String, Number> copy = Collections.unmodifiableMap(new LinkedHashMap<>(metrics));
    tell(tracker -> tracker.metrics(step, copy));
  }

  public void samples(List<Sample> samples) {
    record.samples(samples);
    List<Sample> copy = List.copyOf(samples);
    tell(tracker -> tracker.samples(copy));
  }

  public void traces(List<Sample> traces) {
    record.traces(traces);
    List<Sample> copy = List.copyOf(traces);
    tell(tracker -> tracker.traces(copy));
  }

  /** How far the run's own record has come, for a checkpoint. */
  public Map<String, Long> offsets() {
    return record.offsets();
  }

  /** How the run has ended, as far as is known; trackers hear of it when they are closed. */
  public void ended(Outcome outcome) {
    this.outcome = outcome;
  }

  private void tell(Consumer<Tracker> event) {
    others.forEach(tracker -> tracker.offer(event));
    warn();
  }

  private void warn() {
    others.forEach(tracker -> tracker.warning().ifPresent(warnings));
  }

  /** Waits, but not for ever, until the others have recorded what they were given. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      if (started) {
        record.finish(outcome);
      }
      others.forEach(tracker -> tracker.finish(outcome));
      long deadline = System.nanoTime() + patience.toNanos();
      others.forEach(tracker -> tracker.await(deadline));
      warn();
    } finally {
      record.close();
    }
  }
}
