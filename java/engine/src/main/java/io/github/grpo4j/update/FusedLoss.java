package io.github.grpo4j.update;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.TokenInputs;
import io.github.grpo4j.grpo.loss.TokenTable;
import io.github.grpo4j.grpo.loss.fused.FusedPolicyLoss;
import io.github.grpo4j.model.HeadLoss;

/** A policy loss that the fused kernel knows: log-probs, entropies, derivatives and gradient in one pass over the logits. */
final class FusedLoss implements HeadLoss {
  private final Backend backend;
  private final FusedPolicyLoss fused;
  private final TokenTable table;
  private final float[] weight;
  private final float[] low;
  private final float[] high;
  private final float invTemperature;
  private int first;
  private TokenInputs inputs;
  private Tensor logprob;
  private Tensor entropy;
  private Tensor dLogprob;

  /**
   * @param table log-probs and entropies are written into it
   * @param scale factor of the whole gradient
   */
  FusedLoss(Backend backend, FusedPolicyLoss fused, TokenTable table, float temperature, float scale) {
    this.backend = backend;
    this.fused = fused;
    this.table = table;
    this.weight = Columns.scaled(table.weight, scale);
    this.low = new float[table.tokens()];
    this.high = new float[table.tokens()];
    fused.bounds(table.oldLogprob, low, high);
    this.invTemperature = 1 / temperature;
  }

  @Override
  public void begin(int firstToken, int tokens, Arena arena) {
    first = firstToken;
    Columns columns = new Columns(backend, arena, first, tokens);
    inputs = new TokenInputs(columns.upload(weight), columns.upload(table.advantage), columns.upload(table.oldLogprob),
        columns.upload(table.refLogprob), columns.upload(low), columns.upload(high));
    logprob = arena.tensor(DType.F32, tokens);
    entropy = arena.tensor(DType.F32, tokens);
    dLogprob = arena.tensor(DType.F32, tokens);
  }

  @Override
  public void gradient(Chunk chunk) {
    int row = chunk.row();
    int n = chunk.tokens();
    backend.policyLoss(logprob.rows(row, n), entropy.rows(row, n), dLogprob.rows(row, n), chunk.logits(), chunk.targets(),
        new TokenInputs(inputs.weight().rows(row, n), inputs.advantage().rows(row, n), Columns.part(inputs.oldLogprob(), row, n),
            Columns.part(inputs.refLogprob(), row, n), inputs.clipLow().rows(row, n), inputs.clipHigh().rows(row, n)),
        invTemperature, fused.settings());
  }

  @Override
  public void end() {
    backend.download(logprob, table.newLogprob, first);
    backend.download(entropy, table.entropy, first);
  }
}
