package io.github.grpo4j.track;

import io.github.grpo4j.episode.ScoredEpisode;
import java.util.List;
import java.util.Map;

/**
 * One completion of the model with its reward: a row of the samples table.
 *
 * @param step optimizer step at which it was written
 * @param split {@code train}, {@code eval_greedy}, {@code eval_sampled}, or {@code eval_trace/} and a bucket of lengths
 * @param problem index of the problem in its data set
 * @param question the problem
 * @param gold its right answer
 * @param response what the model wrote
 * @param extracted the answer that was read out of it; null if there was none
 * @param reward total reward
 * @param components its parts by name
 * @param tokens length of the response in tokens
 * @param finished true if the model ended it by itself
 * @param correct whether the final answer is right and stands where it was asked for
 * @param lenient whether the last number of the response is the right answer
 * @param failure why it has no reward, where a reward function failed; else null
 */
public record Sample(
    long step,
    String split,
    int problem,
    String question,
    String gold,
    String response,
    String extracted,
    double reward,
    Map<String, Double> components,
    int tokens,
    boolean finished,
    boolean correct,
    boolean lenient,
    String failure) {
  public static final String TRAIN = "train";
  public static final String EVAL_GREEDY = "eval_greedy";
  public static final String EVAL_SAMPLED = "eval_sampled";
  public static final String EVAL_TRACE = "eval_trace/";

  /** A scored episode as a row of the table. */
  public static Sample of(int step, String split, ScoredEpisode scored) {
    return new Sample(step, split, scored.problem().index(), scored.problem().question(), scored.problem().answer(),
        scored.episode().text(), scored.reward().extractedAnswer(), scored.reward().total(), scored.reward().components(),
        scored.episode().tokenIds().length, scored.episode().finished(), scored.reward().correct(),
        scored.reward().lenientlyCorrect(), scored.reward().failure());
  }

  public static List<Sample> of(int step, String split, List<ScoredEpisode> episodes) {
    return episodes.stream().map(scored -> of(step, split, scored)).toList();
  }
}
