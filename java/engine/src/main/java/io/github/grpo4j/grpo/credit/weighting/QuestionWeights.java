package io.github.grpo4j.grpo.credit.weighting;

import io.github.grpo4j.grpo.credit.QuestionWeight;
import io.github.grpo4j.options.Registry;

/** The kinds of {@code grpo.weighting}. */
public final class QuestionWeights {
  public static final Registry<QuestionWeight> REGISTRY = Registry.of(QuestionWeight.class)
      .with("none", new Unweighted())
      .with("additive", new Additive())
      .with("ratio", new Ratio())
      .with("logistic", new Logistic())
      .with("focal", new Focal())
      .with("softmax", new Softmax());

  private QuestionWeights() {}
}
