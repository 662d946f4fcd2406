package io.github.grpo4j.reward;

import io.github.grpo4j.data.Problem;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.ScoredEpisode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/** Turns sampled answers into scored ones. */
public final class EpisodeScorer {
  private final RewardSet rewards;
  private final Function<int[], String> decoder;
  private final String responsePrefix;

  /**
   * @param decoder token ids to text
   * @param responsePrefix what the prompt already put into the model's mouth
   */
  public EpisodeScorer(RewardSet rewards, Function<int[], String> decoder, String responsePrefix) {
    this.rewards = rewards;
    this.decoder = decoder;
    this.responsePrefix = responsePrefix;
  }

  /** Factors of the parts of a reward in its total. */
  public Map<String, Double> weights() {
    return rewards.weights();
  }

  /**
   * Scores the episodes of a step, side by side where functions run on threads of their own.
   *
   * @param problems one per group; episodes come group by group, {@code answers} each
   */
  public List<ScoredEpisode> score(List<Problem> problems, List<Episode> episodes, int answers) {
    List<CompletableFuture<ScoredEpisode>> scored = new ArrayList<>(episodes.size());
    for (int i = 0; i < episodes.size(); i++) {
      scored.add(submit(problems.get(i / answers), i / answers, episodes.get(i)));
    }
    return scored.stream().map(CompletableFuture::join).toList();
  }

  /** @return done already where all reward functions are bounded */
  public CompletableFuture<ScoredEpisode> submit(Problem problem, int group, Episode episode) {
    int[] ids = episode.tokenIds();
    // The end-of-sequence token is training data, but it is no part of what the model said.
    String response = episode.finished() ? decoder.apply(Arrays.copyOf(ids, ids.length - 1)) : episode.text();
    Completion completion = new Completion(
        problem.question(), problem.answer(), responsePrefix, response, episode.finished(), ids.length);
    return rewards.submit(completion).thenApply(reward -> new ScoredEpisode(episode, problem, group, reward));
  }
}
