package io.github.grpo4j.update;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.DeviceKind;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.HiddenStates;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.model.ParameterShape;
import io.github.grpo4j.model.RotaryTable;
import java.util.List;
import java.util.function.Function;

/**
 * The frozen model that the policy is held close to: the one the run began with, whatever checkpoint it went on from. Its
 * log-probs are computed once per rollout, so an update needs one number a token and not a second model.
 */
public final class ReferencePolicy implements AutoCloseable {
  private final ModelWeights weights;
  private final CausalLm model;
  private final GradientPass pass;
  private final float temperature;

  /**
   * @param weights of the frozen model, closed with this object
   * @param temperature that the rollout samples at
   */
  public ReferencePolicy(Backend backend, ModelWeights weights, int microBatchTokens, int longestSequence, float temperature) {
    this.weights = weights;
    this.model = new CausalLm(backend, weights, longestSequence);
    this.pass = new GradientPass(model, microBatchTokens, longestSequence, CausalLm.Recompute.LAYER);
    this.temperature = temperature;
  }

  /** Bytes of a reference model: weights and its own forward pass. */
  public static long bytes(ModelConfig model, DType dtype, int microBatchTokens, int longestSequence, DeviceKind device) {
    return ParameterShape.bytes(model, dtype, device) + RotaryTable.bytes(longestSequence, model.headDim())
        + GradientPass.bytes(model, dtype, microBatchTokens, longestSequence, CausalLm.Recompute.LAYER);
  }

  /** Of each episode's tokens. */
  public List<float[]> logprobs(List<Episode> episodes) {
    return pass.score(episodes.stream().map(episode -> PolicyUpdate.sampleOf(episode, null)).toList(), temperature).stream()
        .map(Scores::logprob).toList();
  }

  /** Features by the frozen model, which has as many layers as the policy. */
  float[][] features(Function<HiddenStates, float[][]> request) {
    return request.apply(pass.hiddenStates());
  }

  @Override
  public void close() {
    pass.close();
    model.close();
    weights.close();
  }
}
