package io.github.grpo4j.reward;

import io.github.grpo4j.data.Problem;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.episode.ScoredEpisode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/** Turns sampled answers into scored ones. */
public final class EpisodeScorer {
  private final RewardFunction reward;
  private final Function<int[], String> decoder;
  private final String responsePrefix;

  /**
   * @param decoder token ids to text
   * @param responsePrefix what the prompt already put into the model's mouth
   */
  public EpisodeScorer(RewardFunction reward, Function<int[], String> decoder, String responsePrefix) {
    this.reward = reward;
    this.decoder = decoder;
    this.responsePrefix = responsePrefix;
  }

  /** @param problems one per group; episodes come group by group, {@code answers} each */
  public List<ScoredEpisode> score(List<Problem> problems, List<Episode> episodes, int answers) {
    List<ScoredEpisode> scored = new ArrayList<>(episodes.size());
    for (int i = 0; i < episodes.size(); i++) {
      Problem problem = problems.get(i / answers);
      scored.add(score(problem, i / answers, episodes.get(i)));
    }
    return scored;
  }

  public ScoredEpisode score(Problem problem, int group, Episode episode) {
    return new ScoredEpisode(episode, problem, group, reward(problem, episode));
  }

  private Reward reward(Problem problem, Episode episode) {
    int[] ids = episode.tokenIds();
    // The end-of-sequence token is training data, but it is no part of what the model said.
    String response = episode.finished() ? decoder.apply(Arrays.copyOf(ids, ids.length - 1)) : episode.text();
    return reward.score(new Completion(
        problem.question(), problem.answer(), responsePrefix, response, episode.finished(), ids.length));
  }
}
