package io.github.grpo4j.update;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.DeviceKind;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.HiddenStates;
import io.github.grpo4j.model.LossHead;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.model.PackedBatch;
import io.github.grpo4j.model.ParameterShape;
import io.github.grpo4j.model.RotaryTable;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * The model that the policy is held close to: the one the run began with, whatever checkpoint it went on from, unless it is refreshed. Its
 * log-probs are computed once per rollout, so an update needs one number a token and not a second model; only the exact KL divergence runs
 * it beside the policy.
 */
public final class ReferencePolicy implements AutoCloseable {
  private final Backend backend;
  private final ReferenceWeights weights;
  private final CausalLm model;
  private final GradientPass pass;
  private final float temperature;

  /**
   * @param weights closed with this object
   * @param policyPass in whose memory log-probs are computed, between its own passes
   * @param longestSequence that is scored
   * @param temperature of log-probs, that of the policy's
   */
  public ReferencePolicy(ReferenceWeights weights, GradientPass policyPass, int longestSequence, float temperature) {
    this.backend = policyPass.backend();
    this.weights = weights;
    this.model = new CausalLm(backend, weights.present(), longestSequence);
    this.pass = policyPass.withModel(model);
    this.temperature = temperature;
  }

  /** Bytes of a reference model on the device, beside its weights. */
  public static long bytes(ModelConfig model, int longestSequence) {
    return RotaryTable.bytes(longestSequence, model.headDim());
  }

  /** Bytes of its weights, wherever they rest. */
  public static long weightBytes(ModelConfig model, DType dtype, DeviceKind device) {
    return ParameterShape.bytes(model, dtype, device);
  }

  /** Of each episode's tokens. */
  public List<float[]> logprobs(List<Episode> episodes) {
    weights.bring();
    return pass.score(episodes.stream().map(StepTable::sampleOf).toList(), temperature).stream().map(Scores::logprob).toList();
  }

  /** Its hidden states of a batch that the policy sees, too. */
  LossHead.Reference forward(PackedBatch batch, Arena arena) {
    return new LossHead.Reference(model, model.forward(batch, arena, CausalLm.Recompute.LAYER));
  }

  /** {@code ref = share policy + (1 - share) ref}. */
  public void refresh(ModelWeights policy, double share) {
    change(present -> WeightMix.mix(backend, present, policy, share));
  }

  /** Shows the weights, such as for a checkpoint. Between updates only: gradients may be lost. */
  public void read(Consumer<ModelWeights> reader) {
    weights.bring();
    reader.accept(weights.present());
  }

  /** Lets the weights be changed, such as from a checkpoint or the first model. Between updates only: gradients may be lost. */
  public void change(Consumer<ModelWeights> writer) {
    weights.bring();
    writer.accept(weights.present());
    weights.keep();
  }

  /** Features by the frozen model, which has as many layers as the policy. */
  float[][] features(Function<HiddenStates, float[][]> request) {
    weights.bring();
    return request.apply(pass.hiddenStates());
  }

  @Override
  public void close() {
    model.close();
    weights.close();
  }
}
