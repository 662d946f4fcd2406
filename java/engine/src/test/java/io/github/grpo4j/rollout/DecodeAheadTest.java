package io.github.grpo4j.rollout;

import static io.github.grpo4j.testing.Accuracy.assertSameBits;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.Replay;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.FinishReason;
import io.github.grpo4j.model.KvCache;
import io.github.grpo4j.rollout.Generator.Limits;
import io.github.grpo4j.rollout.Generator.Rollout;
import io.github.grpo4j.testing.OpenModel;
import io.github.grpo4j.testing.TestBackends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.function.IntUnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * However far the host lets steps run ahead and however many rows they are padded to: completions have the same bits, no cache block
 * is lost, and a completion that ended costs as many rows for nothing as steps were ahead.
 */
class DecodeAheadTest {
  private static final int MAX_TOKENS = 100;
  /** An emulated GPU takes a thousand times as long as the processor, and so draws less. */
  private static final boolean EMULATED = TestBackends.isCuda();
  private static final int MAX_NEW = EMULATED ? 12 : 30;
  private static final SamplingParams PLAIN = SamplingParams.atTemperature(1, MAX_NEW);
  private static final SamplingParams PENALISED = new SamplingParams(0.9f, 20, 0.95f, 0, 1.3f, MAX_NEW);
  private static final List<SamplingParams> PARAMS = EMULATED ? List.of(PENALISED) : List.of(PLAIN, PENALISED);
  private static final Set<Integer> EOS = Set.of(3, 17, 40, 41);

  private OpenModel open;

  @BeforeEach
  void open() {
    open = OpenModel.small();
  }

  @AfterEach
  void close() {
    Thread.interrupted();
    open.close();
  }

  /** The back end's own way of replaying, but with so many steps ahead and rows padded like that. */
  private record Ahead(Replay inner, int runsAhead, IntUnaryOperator padding) implements Replay {
    @Override
    public void run(Object key, Runnable work) {
      inner.run(key, work);
    }

    @Override
    public int paddedRows(int rows) {
      return padding.applyAsInt(rows);
    }

    @Override
    public void close() {
      inner.close();
    }
  }

  private Generator generator(Limits limits, int ahead, IntUnaryOperator padding) {
    return new Generator(open.model(), limits, EOS, 64, Arrays::toString, new Ahead(open.backend().replay(), ahead, padding));
  }

  private static List<Limits> limits() {
    int oneSequence = KvCache.blocksFor(MAX_TOKENS) + 1;
    return EMULATED ? List.of(new Limits(5, MAX_TOKENS, 2 * oneSequence, 64)) : List.of(Limits.of(16, MAX_TOKENS), Limits.of(1, MAX_TOKENS), new Limits(5, MAX_TOKENS, 2 * oneSequence, 64),
        new Limits(7, MAX_TOKENS, oneSequence, 1));
  }

  private static List<IntUnaryOperator> paddings() {
    return EMULATED ? List.of(rows -> (rows + 3) / 4 * 4) : List.of(rows -> rows, rows -> (rows + 3) / 4 * 4, rows -> 1000);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3})
  void answersDoNotDependOnHowFarStepsRunAhead(int ahead) {
    for (SamplingParams params : PARAMS) {
      Rollout expected;
      try (Generator generator = generator(Limits.of(8, MAX_TOKENS), 0, rows -> rows)) {
        expected = generator.generate(requests(), params, 1, 0, RolloutListener.NONE);
        assertEquals(expected.stats().newTokens(), expected.stats().decodedRows(), "nothing ahead is nothing in vain");
      }
      long ended = expected.episodes().stream()
          .filter(e -> e.finishReason() == FinishReason.EOS && e.tokenIds().length < MAX_NEW).count();
      assertTrue(ended > (EMULATED ? 0 : 5) && ended < expected.episodes().size(), ended + " completions end early");
      for (Limits limits : limits()) {
        for (IntUnaryOperator padding : paddings()) {
          try (Generator generator = generator(limits, ahead, padding)) {
            Rollout rollout = generator.generate(requests(), params, 1, 0, RolloutListener.NONE);
            assertSame(ahead + " ahead, " + limits, expected.episodes(), rollout.episodes());
            assertEquals(limits.kvBlocks(), generator.freeBlocks());
            long inVain = rollout.stats().decodedRows() - rollout.stats().newTokens();
            assertTrue(inVain <= ahead * ended, inVain + " rows in vain, " + ahead + " ahead, " + ended + " completions that ended early");
            assertTrue(inVain >= Math.min(ahead, 1) * ended, inVain + " rows in vain");
          }
        }
      }
    }
  }

  /** What is still under way when a rollout is given up must not show in the next one. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void aRolloutAfterOneThatWasGivenUp(int ahead) {
    for (SamplingParams params : PARAMS) {
      try (Generator generator = generator(new Limits(6, MAX_TOKENS, 20, 64), ahead, rows -> (rows + 3) / 4 * 4)) {
        List<Episode> expected = generator.generate(requests(), params, 1, 0, RolloutListener.NONE).episodes();
        for (int after : EMULATED ? new int[] {17} : new int[] {0, 1, 17, 60}) {
          RolloutListener interrupting = new RolloutListener() {
            @Override
            public void progress(int finished, int total, long newTokens) {
              if (newTokens >= after) {
                Thread.currentThread().interrupt();
              }
            }
          };
          assertThrows(CancellationException.class, () -> generator.generate(requests(), params, 1, 1, interrupting));
          assertTrue(Thread.interrupted());
          assertEquals(20, generator.freeBlocks(), "after " + after + " tokens");
          assertSame("after " + after + " tokens", expected, generator.generate(requests(), params, 1, 0, RolloutListener.NONE).episodes());
        }
      }
    }
  }

  /** The host queues so many steps more than it has read, until there is nothing left to queue. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void theHostReadsLate(int ahead) {
    int[] queued = {0};
    int[] read = {0};
    IntUnaryOperator countingPadding = rows -> {
      queued[0]++;
      return rows;
    };
    try (Generator generator = generator(Limits.of(2, MAX_TOKENS), ahead, countingPadding)) {
      generator.generate(List.of(new RolloutRequest(0, new int[] {1, 2}, 2)), PLAIN, 1, 0, new RolloutListener() {
        @Override
        public void progress(int finished, int total, long newTokens) {
          read[0]++;
          int most = read[0] + ahead;
          assertTrue(queued[0] == most || queued[0] < most && (queued[0] == MAX_NEW || finished > 0), queued[0] + " steps queued, " + read[0] + " read");
        }
      });
    }
    assertTrue(read[0] > 3, read[0] + " steps");
    assertEquals(queued[0], read[0]);
  }

  /** A penalty after which no token is the likeliest twice: prompt and completion never repeat one, which they do without a penalty. */
  @ParameterizedTest
  @ValueSource(ints = {0, 2})
  void theHistoryHasPromptAndAnswer(int ahead) {
    RolloutRequest request = new RolloutRequest(0, new int[] {1, 2, 5, 9}, 3);
    try (Generator generator = new Generator(
        open.model(), Limits.of(2, MAX_TOKENS), Set.of(), 64, Arrays::toString, new Ahead(open.backend().replay(), ahead, rows -> 2))) {
      for (float penalty : new float[] {1, 1e6f}) {
        SamplingParams params = new SamplingParams(0, 0, 1, 0, penalty, 12);
        for (Episode episode : generator.generate(List.of(request), params, 1, 0, RolloutListener.NONE).episodes()) {
          List<Integer> all = new ArrayList<>(List.of(1, 2, 5, 9));
          Arrays.stream(episode.tokenIds()).forEach(all::add);
          assertEquals(penalty > 1, Set.copyOf(all).size() == 16, "penalty " + penalty + ": " + all);
        }
      }
    }
  }

  /** The tokens of a completion are reported in order, and none that was sampled after its end. */
  @Test
  void listenersHearOfWhatIsKept() {
    try (Generator generator = generator(Limits.of(4, MAX_TOKENS), 2, rows -> 4)) {
      List<List<Integer>> heard = new ArrayList<>();
      for (int i = 0; i < 100; i++) {
        heard.add(new ArrayList<>());
      }
      Rollout rollout = generator.generate(requests(), PLAIN, 1, 0, new RolloutListener() {
        @Override
        public void token(int request, int completion, int tokenId) {
          heard.get(10 * request + completion).add(tokenId);
        }
      });
      for (Episode episode : rollout.episodes()) {
        assertEquals(Arrays.stream(episode.tokenIds()).boxed().toList(), heard.get(10 * episode.problem() + episode.completion()));
      }
    }
  }

  private static List<RolloutRequest> requests() {
    List<RolloutRequest> requests = new ArrayList<>();
    for (int length : EMULATED ? new int[] {1, 20, 33} : new int[] {1, 20, 33, 64, 70, 5}) {
      int[] prompt = new int[length];
      Arrays.setAll(prompt, i -> (7 * i + length) % 64);
      requests.add(new RolloutRequest(requests.size(), prompt, 1 + requests.size() % 4));
    }
    return requests;
  }

  private static void assertSame(String what, List<Episode> expected, List<Episode> actual) {
    assertEquals(expected.size(), actual.size(), what);
    for (int i = 0; i < expected.size(); i++) {
      Episode a = expected.get(i);
      Episode b = actual.get(i);
      String which = what + ": problem " + a.problem() + " completion " + a.completion();
      assertEquals(a.problem() + "/" + a.completion(), b.problem() + "/" + b.completion(), which);
      assertArrayEquals(a.tokenIds(), b.tokenIds(), which);
      assertSameBits(which, a.logprobs(), b.logprobs());
      assertSameBits(which, a.entropies(), b.entropies());
      assertEquals(a.finishReason(), b.finishReason(), which);
    }
  }
}
