package io.github.grpo4j.train;

import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.DeviceKind;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelDirectory;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.model.ParameterShape;
import io.github.grpo4j.model.RotaryTable;
import io.github.grpo4j.rollout.Episode;
import io.github.grpo4j.train.config.RunConfig;
import java.util.List;

/**
 * The frozen model that the policy is held close to: the one the run began with, whatever checkpoint it went on from. Its
 * log-probs are computed once per rollout, so an update needs one number a token and not a second model.
 */
final class ReferencePolicy implements AutoCloseable {
  private final ModelWeights weights;
  private final CausalLm model;
  private final GradientPass pass;
  private final float temperature;

  ReferencePolicy(ModelSession session, RunConfig config, int longestSequence) {
    this.weights = ModelDirectory.load(session.backend(), session.directory(), config.model().dtype());
    this.model = new CausalLm(session.backend(), weights, longestSequence);
    this.pass = new GradientPass(model, config.training().microBatchTokens(), longestSequence, CausalLm.Recompute.LAYER);
    this.temperature = (float) config.rollout().temperature();
  }

  /** Bytes of a reference model: weights and its own forward pass. */
  static long bytes(RunConfig config, ModelConfig model, int longestSequence, DeviceKind device) {
    DType dtype = config.model().dtype();
    return ParameterShape.bytes(model, dtype, device) + RotaryTable.bytes(longestSequence, model.headDim())
        + GradientPass.bytes(model, dtype, config.training().microBatchTokens(), longestSequence, CausalLm.Recompute.LAYER);
  }

  /** Of each episode's tokens. */
  List<float[]> logprobs(List<Episode> episodes) {
    return pass.score(episodes.stream().map(episode -> PolicyUpdate.sampleOf(episode, null)).toList(), temperature).stream()
        .map(Scores::logprob).toList();
  }

  @Override
  public void close() {
    pass.close();
    model.close();
    weights.close();
  }
}
