package io.github.grpo4j.rollout;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.FinishReason;
import io.github.grpo4j.model.KvCache;
import io.github.grpo4j.rollout.Generator.Limits;
import io.github.grpo4j.rollout.Generator.Rollout;
import io.github.grpo4j.testing.OpenModel;
import io.github.grpo4j.testing.TestBackends;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Scheduling, accounting and what a rollout leaves behind when it ends early. */
class GeneratorTest {
  private static final int MAX_NEW = TestBackends.sized(40, 8);
  private static final int MAX_TOKENS = 70 + MAX_NEW;
  private static final SamplingParams PARAMS = SamplingParams.atTemperature(1, MAX_NEW);

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

  @Test
  void allBlocksAreFreeAfterARun() {
    for (Limits limits : List.of(Limits.of(1, MAX_TOKENS), Limits.of(8, MAX_TOKENS), smallest(8), smallest(1))) {
      try (Generator generator = generator(limits)) {
        for (int step = 0; step < 3; step++) {
          generator.generate(requests(), PARAMS, 1, step, RolloutListener.NONE);
          assertEquals(limits.kvBlocks(), generator.freeBlocks(), limits.toString());
        }
      }
    }
  }

  @Test
  void interruptEndsTheRunAndFreesAllBlocks() {
    for (Limits limits : List.of(Limits.of(3, MAX_TOKENS), smallest(8))) {
      try (Generator generator = generator(limits)) {
        Rollout whole = generator.generate(requests(), PARAMS, 1, 0, RolloutListener.NONE);
        for (int after = 0; after < 60; after += 7) {
          int tokens = after;
          RolloutListener interrupting = new RolloutListener() {
            @Override
            public void progress(int finished, int total, long newTokens) {
              if (newTokens >= tokens) {
                Thread.currentThread().interrupt();
              }
            }
          };
          CancellationException error = assertThrows(CancellationException.class,
              () -> generator.generate(requests(), PARAMS, 1, 0, interrupting));
          assertTrue(error.getMessage().contains("interrupted"), error.getMessage());
          assertTrue(Thread.interrupted(), "the thread stays interrupted for its owner to see");
          assertEquals(limits.kvBlocks(), generator.freeBlocks(), "after " + tokens + " tokens");
        }
        assertSameTokens(whole, generator.generate(requests(), PARAMS, 1, 0, RolloutListener.NONE));
      }
    }
  }

  @Test
  void failingListenerFreesAllBlocks() {
    Limits limits = Limits.of(4, MAX_TOKENS);
    try (Generator generator = generator(limits)) {
      RolloutListener failing = new RolloutListener() {
        private int seen;

        @Override
        public void token(int request, int completion, int tokenId) {
          if (++seen == 10) {
            throw new IllegalStateException("no terminal");
          }
        }
      };
      assertThrows(IllegalStateException.class, () -> generator.generate(requests(), PARAMS, 1, 0, failing));
      assertEquals(limits.kvBlocks(), generator.freeBlocks());
      generator.generate(requests(), PARAMS, 1, 0, RolloutListener.NONE);
    }
  }

  @Test
  void episodesAreInOrderAndStatisticsAddUp() {
    try (Generator generator = generator(Limits.of(4, MAX_TOKENS))) {
      List<String> streamed = new ArrayList<>();
      int[] lastProgress = new int[2];
      Map<String, Episode> ended = new HashMap<>();
      RolloutListener listener = new RolloutListener() {
        @Override
        public void ended(int request, int completion, Episode episode) {
          assertNull(ended.put(request + "/" + completion, episode));
        }

        @Override
        public void token(int request, int completion, int tokenId) {
          streamed.add(request + "/" + completion + "/" + tokenId);
        }

        @Override
        public void progress(int finished, int total, long newTokens) {
          assertEquals(streamed.size(), newTokens);
          lastProgress[0] = finished;
          lastProgress[1] = total;
        }
      };
      List<RolloutRequest> requests = requests();
      Rollout rollout = generator.generate(requests, PARAMS, 1, 0, listener);
      List<String> order = new ArrayList<>();
      List<String> tokens = new ArrayList<>();
      for (int r = 0; r < requests.size(); r++) {
        for (int a = 0; a < requests.get(r).completions(); a++) {
          order.add(requests.get(r).problem() + "/" + a);
          assertSame(rollout.episodes().get(order.size() - 1), ended.get(r + "/" + a));
          for (int token : rollout.episodes().get(order.size() - 1).tokenIds()) {
            tokens.add(r + "/" + a + "/" + token);
          }
        }
      }
      assertEquals(order, rollout.episodes().stream().map(e -> e.problem() + "/" + e.completion()).toList());
      assertEquals(tokens.stream().sorted().toList(), streamed.stream().sorted().toList());
      assertEquals(tokens.size(), rollout.stats().newTokens());
      long inVain = rollout.stats().decodedRows() - tokens.size(); // rows of completions that had ended, where steps run ahead
      assertTrue(inVain >= 0 && inVain <= order.size(), inVain + " rows in vain");
      assertEquals(requests.stream().mapToInt(r -> r.promptIds().length - 1).sum(), rollout.stats().promptTokens(),
          "a prompt is prefilled once for its whole group, all but its last token");
      assertEquals(order.size(), lastProgress[0]);
      assertEquals(order.size(), lastProgress[1]);
    }
  }

  @Test
  void tokensBeyondTheUsedVocabularyAreNeverDrawn() {
    try (Generator generator = new Generator(open.model(), Limits.of(8, MAX_TOKENS), Set.of(), 5, Arrays::toString)) {
      Rollout rollout = generator.generate(requests(), PARAMS, 1, 0, RolloutListener.NONE);
      for (Episode episode : rollout.episodes()) {
        assertTrue(Arrays.stream(episode.tokenIds()).allMatch(id -> id < 5));
        assertEquals(PARAMS.maxNewTokens(), episode.tokenIds().length);
        assertEquals(FinishReason.LENGTH, episode.finishReason());
        assertEquals(Arrays.toString(episode.tokenIds()), episode.text());
      }
    }
  }

  @Test
  void noRequestsGiveNoEpisodes() {
    try (Generator generator = generator(Limits.of(2, MAX_TOKENS))) {
      Rollout rollout = generator.generate(List.of(), PARAMS, 1, 0, RolloutListener.NONE);
      assertTrue(rollout.episodes().isEmpty());
      assertEquals(0, rollout.stats().tokensPerSecond());
    }
  }

  @Test
  void whatCannotBeDoneIsRefusedBeforeItStarts() {
    try (Generator generator = generator(Limits.of(2, MAX_TOKENS))) {
      refused("problem 9", "71 tokens", () -> generate(generator, new RolloutRequest(9, new int[71], 1)));
      refused("token id 64", "vocabulary of 64", () -> generate(generator, new RolloutRequest(9, new int[] {1, 64}, 1)));
      refused("token id -1", "vocabulary", () -> generate(generator, new RolloutRequest(9, new int[] {-1}, 1)));
      generate(generator, new RolloutRequest(9, new int[70], 2));
    }
    refused("prompt of problem 3", "empty", () -> new RolloutRequest(3, new int[0], 1));
    refused("0 completions", "problem 3", () -> new RolloutRequest(3, new int[1], 0));
    refused("kv_cache_mb", "blocks", () -> new Limits(1, MAX_TOKENS, KvCache.blocksFor(MAX_TOKENS), 64));
    refused("rollout.max_batch", "0", () -> new Limits(0, MAX_TOKENS, 100, 64));
    refused("257 tokens", "opened for 256", () -> generator(Limits.of(1, 257)));
    refused("max_new_tokens", "0", () -> SamplingParams.greedy(0));
  }

  private static void refused(String part, String other, org.junit.jupiter.api.function.Executable call) {
    String message = assertThrows(IllegalArgumentException.class, call).getMessage();
    assertTrue(message.contains(part) && message.contains(other), message);
  }

  private static Rollout generate(Generator generator, RolloutRequest request) {
    return generator.generate(List.of(request), PARAMS, 1, 0, RolloutListener.NONE);
  }

  private static Limits smallest(int rows) {
    return new Limits(rows, MAX_TOKENS, KvCache.blocksFor(MAX_TOKENS) + 1, 64);
  }

  private Generator generator(Limits limits) {
    return new Generator(open.model(), limits, Set.of(3, 17, 40), 64, Arrays::toString);
  }

  private static List<RolloutRequest> requests() {
    List<RolloutRequest> requests = new ArrayList<>();
    for (int length : new int[] {1, 20, 33, 64, 70, 5}) {
      int[] prompt = new int[length];
      Arrays.setAll(prompt, i -> (7 * i + length) % 64);
      requests.add(new RolloutRequest(requests.size(), prompt, 1 + requests.size() % 4));
    }
    return requests;
  }

  private static void assertSameTokens(Rollout expected, Rollout actual) {
    assertEquals(expected.episodes().stream().map(Episode::text).toList(), actual.episodes().stream().map(Episode::text).toList());
  }
}
