package io.github.grpo4j.track;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class TrackersTest {
  private static final RunInfo RUN = new RunInfo(Path.of("runs/x"), "train", "seed: 0\n", "starting", 1, 3);

  private final List<String> recorded = new ArrayList<>();
  private final List<String> warnings = new ArrayList<>();
  private final List<String> heard = Collections.synchronizedList(new ArrayList<>());

  private final RunRecord record = new RunRecord() {
    @Override
    public void metrics(long step, Map<String, ? extends Number> metrics) {
      recorded.add(step + " " + metrics);
    }

    @Override
    public Map<String, Long> offsets() {
      return Map.of("metrics", (long) recorded.size());
    }

    @Override
    public void close() {
      recorded.add("close");
    }
  };

  private final Tracker good = new Tracker() {
    @Override
    public void metrics(long step, Map<String, ? extends Number> metrics) {
      heard.add(step + " " + metrics);
    }

    @Override
    public void finish(Outcome outcome) {
      heard.add(outcome.toString());
    }
  };

  private Trackers open(Duration patience, Tracker... others) {
    Trackers trackers = new Trackers(record, List.of(others), warnings::add, patience);
    trackers.start(RUN);
    return trackers;
  }

  @Test
  void everyTrackerGetsEveryEventInOrder() {
    List<Thread> threads = Collections.synchronizedList(new ArrayList<>());
    Tracker other = (step, metrics) -> threads.add(Thread.currentThread());
    try (Trackers trackers = open(Duration.ofSeconds(30), good, other)) {
      for (int step = 1; step <= 3; step++) {
        trackers.metrics(step, Map.of("loss", step));
        assertEquals(Map.of("metrics", (long) step), trackers.offsets(), "the run's record is written before the call returns");
      }
      trackers.ended(Outcome.COMPLETED);
    }
    assertEquals(List.of("1 {loss=1}", "2 {loss=2}", "3 {loss=3}", "COMPLETED"), heard);
    assertEquals(List.of("1 {loss=1}", "2 {loss=2}", "3 {loss=3}", "close"), recorded);
    assertEquals(1, threads.stream().distinct().count());
    assertTrue(threads.get(0) != Thread.currentThread() && threads.get(0).isDaemon());
    assertEquals(List.of(), warnings);
  }

  @Test
  void aFailingTrackerIsNamedOnceAndGetsNoMore() {
    List<Long> tried = Collections.synchronizedList(new ArrayList<>());
    Tracker failing = (step, metrics) -> {
      tried.add(step);
      throw new NoClassDefFoundError("wandb");
    };
    try (Trackers trackers = open(Duration.ofSeconds(30), failing, good)) {
      for (int step = 1; step <= 3; step++) {
        trackers.metrics(step, Map.of());
      }
    }
    assertEquals(List.of(1L), tried);
    assertEquals(1, warnings.size(), warnings.toString());
    assertTrue(warnings.get(0).contains("has failed") && warnings.get(0).contains("wandb"), warnings.get(0));
    assertEquals(List.of("1 {}", "2 {}", "3 {}", "STOPPED"), heard);
    assertEquals(4, recorded.size());
  }

  @Test
  void aTrackerThatHangsHoldsNobodyUpAndIsNamedOnce() {
    CountDownLatch never = new CountDownLatch(1);
    List<Thread> held = Collections.synchronizedList(new ArrayList<>());
    Tracker hanging = (step, metrics) -> {
      held.add(Thread.currentThread());
      while (never.getCount() > 0) {
        try {
          never.await();
        } catch (InterruptedException e) {
          continue;
        }
      }
    };
    try (Trackers trackers = open(Duration.ofMillis(200), hanging, good)) {
      for (int step = 1; step <= 200; step++) {
        trackers.metrics(step, Map.of());
        // So that the good tracker can keep up with a run that has no work to do.
        while (heard.size() < step) {
          Thread.onSpinWait();
        }
      }
    }
    assertEquals(1, warnings.size(), warnings.toString());
    assertTrue(warnings.get(0).contains("cannot keep up"), warnings.get(0));
    assertEquals(201, heard.size());
    assertEquals(201, recorded.size());
    assertTrue(held.get(0).isAlive());
    never.countDown();
  }

  @Test
  void theEndIsNotWaitedForWithoutLimit() {
    CountDownLatch never = new CountDownLatch(1);
    Tracker endless = new Tracker() {
      @Override
      public void metrics(long step, Map<String, ? extends Number> metrics) {}

      @Override
      public void finish(Outcome outcome) {
        try {
          never.await();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
      }
    };
    try (Trackers trackers = open(Duration.ofMillis(100), endless)) {
      trackers.metrics(1, Map.of());
    }
    assertEquals(1, warnings.size());
    assertTrue(warnings.get(0).contains("is left behind"), warnings.get(0));
  }

  @Test
  void theFailureOfTheRunsOwnRecordIsTheRuns() {
    RuntimeException full = new IllegalStateException("the disk is full");
    RunRecord broken = new RunRecord() {
      @Override
      public void metrics(long step, Map<String, ? extends Number> metrics) {
        throw full;
      }

      @Override
      public Map<String, Long> offsets() {
        return Map.of();
      }
    };
    try (Trackers trackers = new Trackers(broken, List.of(), warnings::add)) {
      assertSame(full, assertThrows(IllegalStateException.class, () -> trackers.metrics(1, Map.of())));
    }
  }
}
