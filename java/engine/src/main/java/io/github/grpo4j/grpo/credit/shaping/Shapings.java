package io.github.grpo4j.grpo.credit.shaping;

import io.github.grpo4j.grpo.credit.RewardShaping;
import io.github.grpo4j.options.Registry;

/** The kinds of {@code grpo.overlong} and of the list {@code grpo.shaping}. */
public final class Shapings {
  public static final Registry<RewardShaping> REGISTRY = Registry.of(RewardShaping.class)
      .with("keep", new Keep())
      .with("drop", new DropTruncated())
      .with("mask", new MaskTruncated())
      .with("soft_penalty", new SoftPenalty())
      .with("kl", new KlInReward())
      .with("similarity", new Similarity());

  private Shapings() {}
}
