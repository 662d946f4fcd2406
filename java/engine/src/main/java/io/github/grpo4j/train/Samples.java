package io.github.grpo4j.train;

import io.github.grpo4j.track.Sample;
import java.util.List;

/** Scored episodes as rows of the samples table. */
final class Samples {
  private Samples() {}

  static List<Sample> of(int step, List<ScoredEpisode> episodes) {
    return of(step, Sample.TRAIN, episodes);
  }

  static List<Sample> of(int step, String split, List<ScoredEpisode> episodes) {
    return episodes.stream().map(scored -> of(step, split, scored)).toList();
  }

  static Sample of(int step, String split, ScoredEpisode scored) {
    return new Sample(step, split, scored.problem().index(), scored.problem().question(), scored.problem().answer(),
        scored.episode().text(), scored.reward().extractedAnswer(), scored.reward().total(), scored.reward().components(),
        scored.episode().tokenIds().length, scored.episode().finished());
  }
}
