package io.github.grpo4j.train;

import io.github.grpo4j.data.Problem;
import io.github.grpo4j.reward.Completion;
import io.github.grpo4j.reward.Reward;
import io.github.grpo4j.reward.RewardFunction;
import io.github.grpo4j.rollout.Episode;
import io.github.grpo4j.rollout.TextDecoder;
import io.github.grpo4j.text.Tokenizer;
import io.github.grpo4j.train.config.RunConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Turns sampled answers into scored ones. */
final class EpisodeScorer {
  private final RewardFunction reward;
  private final TextDecoder decoder;
  private final String responsePrefix;

  EpisodeScorer(RewardFunction reward, TextDecoder decoder, String responsePrefix) {
    this.reward = reward;
    this.decoder = decoder;
    this.responsePrefix = responsePrefix;
  }

  /** The scorer of a run. */
  static EpisodeScorer of(RunConfig config, Tokenizer tokenizer) {
    return new EpisodeScorer(config.reward().function(), tokenizer::decode, config.prompt().responsePrefix());
  }

  /** @param problems one per group; episodes come group by group, {@code answers} each */
  List<ScoredEpisode> score(List<Problem> problems, List<Episode> episodes, int answers) {
    List<ScoredEpisode> scored = new ArrayList<>(episodes.size());
    for (int i = 0; i < episodes.size(); i++) {
      Problem problem = problems.get(i / answers);
      scored.add(score(problem, i / answers, episodes.get(i)));
    }
    return scored;
  }

  ScoredEpisode score(Problem problem, int group, Episode episode) {
    return new ScoredEpisode(episode, problem, group, reward(problem, episode));
  }

  private Reward reward(Problem problem, Episode episode) {
    int[] ids = episode.tokenIds();
    // The end-of-sequence token is training data, but it is no part of what the model said.
    String response = episode.finished() ? decoder.decode(Arrays.copyOf(ids, ids.length - 1)) : episode.text();
    return reward.score(new Completion(
        problem.question(), problem.answer(), responsePrefix, response, episode.finished(), ids.length));
  }
}
