package io.github.grpo4j.config;

import io.github.grpo4j.curriculum.Curricula;
import io.github.grpo4j.grpo.credit.advantage.AdvantageEstimators;
import io.github.grpo4j.grpo.credit.grouping.Groupings;
import io.github.grpo4j.grpo.credit.shaping.Shapings;
import io.github.grpo4j.grpo.credit.weighting.QuestionWeights;
import io.github.grpo4j.grpo.loss.aggregation.Aggregations;
import io.github.grpo4j.grpo.loss.kl.KlPenalties;
import io.github.grpo4j.grpo.loss.reference.ReferenceRefreshes;
import io.github.grpo4j.grpo.loss.surrogate.Surrogates;
import io.github.grpo4j.grpo.loss.term.LossTerms;
import io.github.grpo4j.options.Registry;
import io.github.grpo4j.reward.builtin.RewardFunctions;
import io.github.grpo4j.track.builtin.TrackerFactories;
import java.util.List;
import java.util.Optional;

/** All choices that a configuration can make by kind: a component of one of these types is read as {@code {kind: NAME, …}}. */
final class Choices {
  private static final List<Registry<?>> ALL = List.of(
      Curricula.REGISTRY,
      RewardFunctions.REGISTRY,
      Shapings.REGISTRY,
      Groupings.REGISTRY,
      AdvantageEstimators.REGISTRY,
      QuestionWeights.REGISTRY,
      Surrogates.REGISTRY,
      Aggregations.REGISTRY,
      KlPenalties.REGISTRY,
      ReferenceRefreshes.REGISTRY,
      LossTerms.REGISTRY,
      TrackerFactories.REGISTRY);

  private Choices() {}

  static List<Registry<?>> all() {
    return ALL;
  }

  /** The registry of a component's type; empty if it is no choice. */
  static Optional<Registry<?>> of(Class<?> type) {
    return ALL.stream().filter(registry -> registry.type() == type).findFirst();
  }
}
