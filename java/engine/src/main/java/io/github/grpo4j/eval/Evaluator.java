package io.github.grpo4j.eval;

import io.github.grpo4j.data.EncodedPrompts;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.reward.AnswerRates;
import io.github.grpo4j.reward.EpisodeScorer;
import io.github.grpo4j.rollout.Generator;
import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.rollout.RolloutRequest;
import io.github.grpo4j.rollout.RolloutStats;
import io.github.grpo4j.rollout.SamplingParams;
import io.github.grpo4j.session.RunAssembly;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Measures accuracy on held-out problems. Random numbers come from a stream of their own, and the same ones at every
 * evaluation: evaluating or not never changes training, and two evaluations differ by the model alone.
 */
public final class Evaluator {
  /**
   * @param accuracy of the final answers, over all completions of all problems
   * @param rates what is said of completions whatever their reward
   * @param meanTokens length of a completion
   */
  public record Result(
      AccuracyInterval accuracy, AnswerRates rates, double meanTokens, List<ScoredEpisode> completions, RolloutStats stats) {}

  /** Sets the evaluation's random numbers apart from those of the rollouts of a run with the same seed. */
  private static final long STREAM = 0x6576616C75617465L;

  private final Generator generator;
  private final EpisodeScorer scorer;
  private final long seed;

  public Evaluator(Generator generator, EpisodeScorer scorer, long seed) {
    this.generator = generator;
    this.scorer = scorer;
    this.seed = seed ^ STREAM;
  }

  /** The evaluator of a run: its generator, its reward, its seed. */
  public static Evaluator of(RunAssembly assembly) {
    return new Evaluator(assembly.generator(), assembly.scorer(), assembly.config().training().seed());
  }

  /** @param completions sampled per problem; 1 for greedy decoding, which would give the same one again */
  public Result evaluate(EncodedPrompts problems, SamplingParams params, int completions, RolloutListener listener) {
    return evaluate(problems, params, completions, listener, scored -> {});
  }

  /** @param onScored gets every completion when it ends and is scored */
  public Result evaluate(EncodedPrompts problems, SamplingParams params, int completions, RolloutListener listener, Consumer<ScoredEpisode> onScored) {
    List<RolloutRequest> requests = new ArrayList<>();
    for (int i = 0; i < problems.size(); i++) {
      requests.add(new RolloutRequest(problems.get(i).problem().index(), problems.get(i).ids(), completions));
    }
    List<CompletableFuture<ScoredEpisode>> scores = new ArrayList<>(Collections.nCopies(problems.size() * completions, null));
    List<CompletableFuture<ScoredEpisode>> pending = new ArrayList<>();
    Generator.Rollout rollout = generator.generate(requests, params, seed, 0, new RolloutListener() {
      @Override
      public void token(int request, int completion, int tokenId) {
        listener.token(request, completion, tokenId);
      }

      @Override
      public void ended(int request, int completion, Episode episode) {
        CompletableFuture<ScoredEpisode> score = scorer.submit(problems.get(request).problem(), request, episode);
        scores.set(request * completions + completion, score);
        if (score.isDone()) {
          onScored.accept(score.join());
        } else {
          pending.add(score); // decoding does not wait for a slow reward
        }
        listener.ended(request, completion, episode);
      }

      @Override
      public void progress(int finished, int total, long newTokens) {
        listener.progress(finished, total, newTokens);
      }
    });
    pending.forEach(score -> onScored.accept(score.join()));
    List<ScoredEpisode> scored = scores.stream().map(CompletableFuture::join).toList();
    int right = (int) scored.stream().filter(episode -> episode.reward().correct()).count();
    double meanTokens = scored.stream().mapToInt(episode -> episode.episode().tokenIds().length).average().orElse(0);
    return new Result(AccuracyInterval.of(right, scored.size()), AnswerRates.of(scored), meanTokens, scored, rollout.stats());
  }
}
