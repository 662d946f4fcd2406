package io.github.grpo4j.update;

import io.github.grpo4j.backend.Arena;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.grpo.loss.LossPipeline;
import io.github.grpo4j.grpo.loss.LossTerm;
import io.github.grpo4j.grpo.loss.TokenTable;
import io.github.grpo4j.model.HeadLoss;

/**
 * Any loss: the ops give what the model says of each token, the terms its derivatives on the host, and the ops carry those into the logits.
 *
 * <pre>
 * scope TOKEN     chunk by chunk: logits ─ logprob ─▶ terms ─▶ logprobBackward
 * scope SEQUENCE  logprob of all chunks ─▶ terms ─▶ logits again ─ logprobBackward, chunk by chunk
 * scope STEP      the terms have added before; logprobBackward alone
 * </pre>
 *
 * With the exact KL divergence the reference's logits of each chunk come along, and their gradient is added.
 */
final class TermsLoss implements HeadLoss {
  private final Backend backend;
  private final LossPipeline loss;
  private final TokenTable table;
  private final float invTemperature;
  private final float scale;
  private int first;
  private int tokens;
  private Tensor logprob;
  private Tensor entropy;
  private Tensor kl;
  private Tensor dLogprob;
  private Tensor dEntropy;
  private Tensor dKl;

  /**
   * @param table of the step; with scope STEP its derivatives are final
   * @param scale factor of the whole gradient
   */
  TermsLoss(Backend backend, LossPipeline loss, TokenTable table, float temperature, float scale) {
    this.backend = backend;
    this.loss = loss;
    this.table = table;
    this.invTemperature = 1 / temperature;
    this.scale = scale;
  }

  @Override
  public void begin(int firstToken, int count, Arena arena) {
    first = firstToken;
    tokens = count;
    logprob = arena.tensor(DType.F32, tokens);
    entropy = arena.tensor(DType.F32, tokens);
    dLogprob = arena.tensor(DType.F32, tokens);
    dEntropy = arena.tensor(DType.F32, tokens);
    if (table.exactKl != null) {
      kl = arena.tensor(DType.F32, tokens);
      dKl = arena.tensor(DType.F32, tokens);
    }
    if (loss.scope() == LossTerm.Scope.STEP) {
      uploadDerivatives(0, tokens);
    }
  }

  @Override
  public boolean needsAllScores() {
    return loss.scope() == LossTerm.Scope.SEQUENCE;
  }

  @Override
  public void score(Chunk chunk) {
    int row = chunk.row();
    int n = chunk.tokens();
    backend.logprob(logprob.rows(row, n), entropy.rows(row, n), null, chunk.logits(), chunk.targets(), invTemperature);
    if (kl != null) {
      backend.kl(kl.rows(row, n), chunk.logits(), chunk.refLogits(), invTemperature);
    }
  }

  @Override
  public void scored() {
    downloadScores(0, tokens);
    loss.derivatives(table, first, first + tokens);
    uploadDerivatives(0, tokens);
  }

  @Override
  public void gradient(Chunk chunk) {
    int row = chunk.row();
    int n = chunk.tokens();
    if (loss.scope() == LossTerm.Scope.TOKEN) {
      score(chunk);
      downloadScores(row, n);
      loss.derivatives(table, first + row, first + row + n);
      uploadDerivatives(row, n);
    }
    if (kl != null) {
      backend.klBackward(chunk.refLogits(), chunk.logits(), dKl.rows(row, n), invTemperature);
    }
    Tensor byEntropy = hasNonZero(table.dEntropy, first + row, n) ? dEntropy.rows(row, n) : null;
    backend.logprobBackward(chunk.logits(), dLogprob.rows(row, n), byEntropy, chunk.targets(), invTemperature);
    if (kl != null) {
      backend.add(chunk.logits(), chunk.refLogits());
    }
  }

  private void downloadScores(int row, int n) {
    backend.download(logprob.rows(row, n), table.newLogprob, first + row);
    backend.download(entropy.rows(row, n), table.entropy, first + row);
    if (kl != null) {
      backend.download(kl.rows(row, n), table.exactKl, first + row);
    }
  }

  private void uploadDerivatives(int row, int n) {
    upload(dLogprob, table.dLogprob, row, n);
    if (hasNonZero(table.dEntropy, first + row, n)) {
      upload(dEntropy, table.dEntropy, row, n);
    }
    if (kl != null) {
      upload(dKl, table.dExactKl, row, n);
    }
  }

  private void upload(Tensor column, float[] values, int row, int n) {
    if (scale == 1) {
      backend.upload(column.rows(row, n), values, first + row);
      return;
    }
    float[] scaled = new float[n];
    for (int t = 0; t < n; t++) {
      scaled[t] = values[first + row + t] * scale;
    }
    backend.upload(column.rows(row, n), scaled, 0);
  }

  private static boolean hasNonZero(float[] values, int from, int count) {
    for (int t = from; t < from + count; t++) {
      if (values[t] != 0) {
        return true;
      }
    }
    return false;
  }
}
