package io.github.grpo4j.session;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.config.OptimizerOptions;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.data.EncodedPrompts;
import io.github.grpo4j.memory.RolloutLimits;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.ModelDirectory;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.optim.LossScaler;
import io.github.grpo4j.reward.EpisodeScorer;
import io.github.grpo4j.rollout.Generator;
import io.github.grpo4j.update.GradientPass;
import io.github.grpo4j.update.ReferencePolicy;
import io.github.grpo4j.update.ReferenceWeights;

/**
 * The parts that a run works with, wired from its configuration: training, supervised warm-up and evaluation differ only in
 * which of them they ask for. Everything that is made here is closed with it.
 */
public final class RunAssembly implements AutoCloseable {
  private final Resources resources = new Resources();
  private final RunConfig config;
  private final RunInputs inputs;
  private final int longestSequence;
  private final CausalLm model;
  private final Generator generator;
  private final EpisodeScorer scorer;

  /** What turns sequences into new weights. */
  public record Learner(GradientPass pass, Gradients gradients, AdamW optimizer, LossScaler scaler) {}

  /**
   * @param inputs closed by whoever opened them
   * @param longestTrained tokens of the longest sequence that is trained on, 0 where nothing is
   * @param completionsAtOnce that there are to sample in one rollout
   */
  public RunAssembly(RunInputs inputs, EpisodeScorer scorer, int longestTrained, int completionsAtOnce) {
    this.config = inputs.config();
    this.inputs = inputs;
    this.scorer = scorer;
    this.longestSequence = Math.max(longestTrained, inputs.evalProblems().longest() + config.rollout().maxNewTokens());
    ModelSession session = inputs.session();
    try {
      this.model = resources.own(new CausalLm(session.backend(), session.weights(), longestSequence));
      this.generator = resources.own(new Generator(model, RolloutLimits.of(config, model.config(), longestSequence, completionsAtOnce),
          session.stopIds(), session.tokenizer().vocabUsed(), session.tokenizer()::decode));
    } catch (RuntimeException e) {
      resources.close();
      throw e;
    }
  }

  public RunConfig config() {
    return config;
  }

  public ModelSession session() {
    return inputs.session();
  }

  public Generator generator() {
    return generator;
  }

  public EpisodeScorer scorer() {
    return scorer;
  }

  /** The held-out problems. */
  public EncodedPrompts evalProblems() {
    return inputs.evalProblems();
  }

  /** Takes the memory of a training pass, of gradients and of optimizer state. To be called once. */
  public Learner learner(OptimizerOptions options) {
    Backend backend = session().backend();
    CausalLm.Recompute recompute = CausalLm.Recompute.valueOf(config.training().recompute().name());
    GradientPass pass = resources.own(new GradientPass(
        model, config.training().microBatchTokens(), longestSequence, recompute, config.loss().needsExactKl()));
    Gradients gradients = resources.own(new Gradients(backend, session().weights()));
    AdamW.Settings settings = new AdamW.Settings(
        options.betas().get(0), options.betas().get(1), options.eps(), options.weightDecay(), false, options.maxGradNorm());
    AdamW optimizer = resources.own(new AdamW(backend, session().weights(), settings, config.optimizer().placement()));
    return new Learner(pass, gradients, optimizer, config.lossScaler());
  }

  /** Takes the memory of a second model, at first the one that {@code model.path} names. To be called once. */
  public ReferencePolicy reference(Learner learner) {
    Backend backend = session().backend();
    boolean onHost = config.referenceOnHost();
    ReferenceWeights weights = onHost
        ? ReferenceWeights.onHost(backend, model.config(), config.model().dtype(), learner.gradients())
        : ReferenceWeights.onDevice(ModelDirectory.load(backend, session().directory(), config.model().dtype()));
    ReferencePolicy reference = resources.own(
        new ReferencePolicy(weights, learner.pass(), longestSequence, (float) config.logprobTemperature()));
    if (onHost) {
      reference.change(present -> ModelDirectory.loadInto(backend, session().directory(), present));
    }
    return reference;
  }

  @Override
  public void close() {
    resources.close();
  }
}
