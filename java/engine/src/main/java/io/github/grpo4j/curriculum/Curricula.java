package io.github.grpo4j.curriculum;

import io.github.grpo4j.options.Registry;

/** The kinds of {@link Curriculum}. */
public final class Curricula {
  public static final Registry<Curriculum> REGISTRY = Registry.of(Curriculum.class)
      .with("none", new NoCurriculum())
      .with("easy_to_hard", new EasyToHard())
      .with("hard_to_easy", new HardToEasy())
      .with("near_half", new NearHalf())
      .with("bucketed_shuffle", new BucketedShuffle());

  private Curricula() {}
}
