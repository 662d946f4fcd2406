package io.github.grpo4j.reward;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.episode.Verdict;
import io.github.grpo4j.reward.RewardSet.Weighted;
import io.github.grpo4j.reward.builtin.Gsm8kLine;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class RewardSetTest {
  private static final double PATIENT_S = 3600;
  private static final double HASTY_S = 0.05;

  private static Completion says(String response) {
    return new Completion("2*9", "2*9=18\n#### 18", "", response, true, 7);
  }

  private static RewardSet set(double timeoutS, Weighted... functions) {
    return new RewardSet(List.of(functions), timeoutS);
  }

  @Test
  void partsOfTheFirstKeepTheirNamesAndTotalsAreWeighted() {
    RewardSet rewards = set(PATIENT_S, new Weighted("line", new Gsm8kLine(0.1), 2), new Weighted("again", new Gsm8kLine(0.5), 1),
        new Weighted("length", completion -> Reward.of(completion.tokens()), -0.01));
    assertEquals(List.of("answer", "format", "again/answer", "again/format", "length"), List.copyOf(rewards.weights().keySet()));
    Reward reward = rewards.score(says("#### 18"));
    assertEquals(2 * 1.1 + 1.5 - 0.07, reward.total(), 1e-12);
    assertEquals(7, reward.components().get("length"));
    assertTrue(reward.correct());
    assertTrue(reward.lenientlyCorrect());
    assertNull(reward.failure());
  }

  @Test
  void whatDoesNotApplyIsNoPart() {
    RewardFunction sometimes = completion -> completion.response().isEmpty() ? Reward.NOT_APPLICABLE : Reward.of(0.5);
    RewardSet rewards = set(PATIENT_S, new Weighted("sometimes", sometimes, 1), new Weighted("always", completion -> Reward.of(1), 1));
    assertEquals(Map.of("always", 1.0), rewards.score(says("")).components());
    assertEquals(1, rewards.score(says("")).total());
    assertEquals(1.5, rewards.score(says("18")).total());
    Reward none = RewardSet.of("sometimes", sometimes).score(says(""));
    assertTrue(Double.isNaN(none.total()));
    assertNull(none.failure(), "nothing to say is no failure");
  }

  @Test
  void partsThatAreNoNumbersDoNotCount() {
    RewardSet rewards = set(PATIENT_S, new Weighted("nan", completion -> Reward.of(Double.NaN), 1),
        new Weighted("infinite", completion -> Reward.of(Double.POSITIVE_INFINITY), 1), new Weighted("two", completion -> Reward.of(2), 1));
    assertEquals(2, rewards.score(says("")).total());
  }

  @Test
  void theFirstVerdictCountsElseTheUsualPlacesAreRead() {
    RewardFunction judge = new RewardFunction() {
      @Override
      public Reward score(Completion completion) {
        return reward(Map.of("x", 1.0), new Verdict(false, true, "none"));
      }

      @Override
      public List<Part> parts() {
        return List.of(new Part("x", 1));
      }
    };
    Weighted silent = new Weighted("silent", completion -> Reward.of(1), 1);
    assertEquals("none", set(PATIENT_S, silent, new Weighted("judge", judge, 1)).score(says("#### 18")).extractedAnswer());
    for (String right : List.of("#### 18", "it is \\boxed{18}", "<think>3</think>\n<answer>18</answer>")) {
      assertTrue(set(PATIENT_S, silent).score(says(right)).correct(), right);
      assertTrue(set(PATIENT_S, silent).score(says(right)).formatted(), right);
    }
    Reward bare = set(PATIENT_S, silent).score(says("it is 18."));
    assertFalse(bare.correct());
    assertFalse(bare.formatted());
    assertTrue(bare.lenientlyCorrect());
  }

  @Test
  void aCallThatHangsCostsItsCompletionAndNothingElse() {
    CountDownLatch never = new CountDownLatch(1);
    AtomicBoolean interrupted = new AtomicBoolean();
    CountDownLatch ended = new CountDownLatch(1);
    RewardFunction hangs = completion -> {
      if (completion.response().equals("hang")) {
        try {
          never.await();
        } catch (InterruptedException e) {
          interrupted.set(true);
          throw e;
        } finally {
          ended.countDown();
        }
      }
      return Reward.of(1);
    };
    RewardSet rewards = set(HASTY_S, new Weighted("line", new Gsm8kLine(), 1), new Weighted("slow", hangs, 1));
    Reward late = rewards.score(says("hang"));
    assertTrue(Double.isNaN(late.total()));
    assertEquals(Map.of(), late.components());
    assertEquals("reward slow took longer than 0.05 s", late.failure());
    assertTimeoutPreemptively(Duration.ofMinutes(2), () -> ended.await());
    assertTrue(interrupted.get(), "a call that listens is cancelled");
    assertEquals(2.1, set(PATIENT_S, new Weighted("line", new Gsm8kLine(), 1), new Weighted("slow", hangs, 1)).score(says("#### 18")).total(), 1e-12);
  }

  /** Every thread of the pool is lost to a call that cannot be interrupted, several times over. */
  @Test
  void callsThatCannotBeCancelledLeaveRoomForOthers() throws InterruptedException {
    CountDownLatch release = new CountDownLatch(1);
    RewardFunction deaf = completion -> {
      while (completion.response().equals("hang")) {
        try {
          release.await();
          break;
        } catch (InterruptedException deafToIt) {
          continue;
        }
      }
      return Reward.of(1);
    };
    RewardSet rewards = set(0.5, new Weighted("deaf", deaf, 1));
    List<CompletableFuture<Reward>> hanging = new ArrayList<>();
    for (int i = 0; i < 2 * Runtime.getRuntime().availableProcessors() + 1; i++) {
      hanging.add(rewards.submit(says("hang")));
    }
    CompletableFuture<Reward> good = rewards.submit(says("fine"));
    assertTimeoutPreemptively(Duration.ofMinutes(2), () -> assertEquals(1, good.join().total()));
    for (CompletableFuture<Reward> one : hanging) {
      assertTrue(one.join().failure().startsWith("reward deaf took longer"), one.join().failure());
    }
    release.countDown();
  }

  @Test
  void afterManyCallsThatNeverEndNoFurtherOneBegins() {
    CountDownLatch release = new CountDownLatch(1);
    AtomicInteger begun = new AtomicInteger();
    RewardFunction deaf = completion -> {
      begun.incrementAndGet();
      while (true) {
        try {
          release.await();
          return Reward.of(1);
        } catch (InterruptedException deafToIt) {
          continue;
        }
      }
    };
    RewardSet rewards = set(0.02, new Weighted("deaf", deaf, 1));
    List<CompletableFuture<Reward>> all = new ArrayList<>();
    int workers = Runtime.getRuntime().availableProcessors();
    for (int i = 0; i < TimedCalls.MAX_HANGING + 4 * workers; i++) {
      all.add(rewards.submit(says("hang")));
    }
    List<String> failures = assertTimeoutPreemptively(Duration.ofMinutes(2), () -> all.stream().map(one -> one.join().failure()).toList());
    assertTrue(failures.get(failures.size() - 1).contains("earlier calls hang"), failures.get(failures.size() - 1));
    assertTrue(begun.get() <= TimedCalls.MAX_HANGING + workers, begun + " calls");
    release.countDown();
  }

  @Test
  void whatAFunctionThrowsIsTheFailureOfItsCompletion() {
    for (boolean bounded : new boolean[] {false, true}) {
      RewardFunction throwing = new RewardFunction() {
        @Override
        public Reward score(Completion completion) throws Exception {
          throw new java.io.IOException("no route");
        }

        @Override
        public boolean isBounded() {
          return bounded;
        }
      };
      assertEquals("reward web threw IOException: no route", RewardSet.of("web", throwing).score(says("")).failure());
    }
    assertTrue(RewardSet.of("none", completion -> null).score(says("")).failure().startsWith("reward none threw IllegalStateException: it gave null"));
    RewardFunction deep = new RewardFunction() {
      @Override
      public Reward score(Completion completion) {
        return score(completion);
      }
    };
    assertEquals("reward deep threw StackOverflowError", RewardSet.of("deep", deep).score(says("")).failure());
  }

  @Test
  void namesAndWeightsAreChecked() {
    RewardFunction one = completion -> Reward.of(1);
    assertThrows(IllegalArgumentException.class, () -> new Weighted(" ", one, 1));
    assertThrows(IllegalArgumentException.class, () -> new Weighted("a", one, Double.NaN));
    String message = assertThrows(IllegalArgumentException.class, () -> set(1, new Weighted("a", one, 1), new Weighted("a", one, 1))).getMessage();
    assertTrue(message.contains("\"a\""), message);
    assertThrows(IllegalArgumentException.class, () -> set(1, new Weighted("line", new Gsm8kLine(), 1), new Weighted("answer", one, 1)));
  }
}
