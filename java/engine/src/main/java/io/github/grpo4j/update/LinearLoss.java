package io.github.grpo4j.update;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.TokenInputs;
import io.github.grpo4j.backend.TokenLoss;
import io.github.grpo4j.model.HeadLoss;

/**
 * A loss whose derivative by each log-prob is known beforehand, as in supervised training: {@code -1 / tokens}. The kernel takes it in the
 * same pass that gives log-probs and entropies.
 */
public final class LinearLoss implements HeadLoss {
  private final Backend backend;
  private final float[] dLogprob;
  private final float[] logprob;
  private final float[] entropy;
  private final float invTemperature;
  private int first;
  private Tensor weights;
  private Tensor logprobs;
  private Tensor entropies;
  private Tensor unused;

  /** @param dLogprob of all scored tokens of the samples, in their order */
  public LinearLoss(Backend backend, float[] dLogprob, float temperature) {
    this.backend = backend;
    this.dLogprob = dLogprob;
    this.logprob = new float[dLogprob.length];
    this.entropy = new float[dLogprob.length];
    this.invTemperature = 1 / temperature;
  }

  /** Of each token, once its batch has been passed. */
  public float[] logprob() {
    return logprob;
  }

  /** Of each token, in nats. */
  public float[] entropy() {
    return entropy;
  }

  @Override
  public void begin(int firstToken, int tokens, Arena arena) {
    first = firstToken;
    weights = arena.tensor(DType.F32, tokens);
    backend.upload(weights, dLogprob, first);
    logprobs = arena.tensor(DType.F32, tokens);
    entropies = arena.tensor(DType.F32, tokens);
    unused = arena.tensor(DType.F32, tokens);
  }

  @Override
  public void gradient(Chunk chunk) {
    int row = chunk.row();
    int n = chunk.tokens();
    backend.policyLoss(logprobs.rows(row, n), entropies.rows(row, n), unused.rows(row, n), chunk.logits(), chunk.targets(),
        new TokenInputs(weights.rows(row, n), null, null, null, null, null), invTemperature, TokenLoss.LINEAR);
  }

  @Override
  public void end() {
    backend.download(logprobs, logprob, first);
    backend.download(entropies, entropy, first);
  }
}
