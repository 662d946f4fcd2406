package io.github.grpo4j.benchmarks;

import io.github.grpo4j.backend.AdamWSettings;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.Backend.AttentionShape;
import io.github.grpo4j.backend.Backend.TokenInputs;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.SamplingSettings;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.TokenLoss;
import io.github.grpo4j.model.KvCache;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.RotaryTable;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.IntUnaryOperator;

/** One call of each op with random operands, allocated when it is asked for. */
final class KernelCalls {
  private static final int SEQUENCES = 4;
  private static final int LENGTH = 128;
  private static final int TOKENS = SEQUENCES * LENGTH;
  private static final int ROWS = 8;
  private static final int CACHED = 200;
  /** Rows of logits: 64 of them are 39 MB at a vocabulary of 151,936. */
  private static final int LOGIT_ROWS = 64;

  private final Backend backend;
  private final ModelConfig model;
  private final DType dtype;
  private final AdamWSettings adamw;
  private final SplittableRandom random = new SplittableRandom(1);

  KernelCalls(Backend backend, ModelConfig model, DType dtype, AdamWSettings adamw) {
    this.backend = backend;
    this.model = model;
    this.dtype = dtype;
    this.adamw = adamw;
  }

  Runnable named(String op) {
    return switch (op) {
      case "linear" -> linear(TOKENS);
      case "linearDecode" -> linear(ROWS);
      case "linearBackwardInput", "linearBackwardWeight" -> linearBackward(op);
      case "embedding", "embeddingBackward" -> embedding(op);
      case "rmsNorm", "addRmsNorm", "rmsNormBackward" -> rmsNorm(op);
      case "rope" -> rope();
      case "attention", "attentionBackward" -> attention(op);
      case "kvAppend", "attentionPaged" -> paged(op);
      case "swiglu", "swigluBackward" -> swiglu(op);
      case "logprob", "logprobBackward", "policyLoss" -> logprob(op);
      case "sample" -> sample(1);
      case "sampleTopP" -> sample(0.95f);
      case "sumSquares", "adamw", "castPacked", "packRows" -> weights(op);
      default -> throw new IllegalArgumentException("no op is called " + op);
    };
  }

  private Runnable linear(int rows) {
    Tensor x = matrix(rows, model.hiddenSize());
    Tensor w = packed(2L * model.intermediateSize(), model.hiddenSize());
    Tensor y = matrix(rows, 2 * model.intermediateSize());
    return () -> backend.linear(y, x, w, null, false);
  }

  private Runnable linearBackward(String op) {
    Tensor x = matrix(TOKENS, model.hiddenSize());
    Tensor dx = matrix(TOKENS, model.hiddenSize());
    Tensor dy = matrix(TOKENS, 2 * model.intermediateSize());
    Tensor w = packed(2L * model.intermediateSize(), model.hiddenSize());
    Tensor dw = backend.allocate(DType.F32, Layout.PACKED, 2L * model.intermediateSize(), model.hiddenSize());
    return op.equals("linearBackwardInput")
        ? () -> backend.linearBackwardInput(dx, dy, w, false)
        : () -> backend.linearBackwardWeight(dw, null, dy, x);
  }

  private Runnable embedding(String op) {
    Tensor w = packed(model.vocabSize(), model.hiddenSize());
    Tensor ids = ints(TOKENS, i -> random.nextInt(model.vocabSize()));
    Tensor y = matrix(TOKENS, model.hiddenSize());
    if (op.equals("embedding")) {
      return () -> backend.embedding(y, w, ids);
    }
    Tensor dw = backend.allocate(DType.F32, Layout.PACKED, model.vocabSize(), model.hiddenSize());
    return () -> backend.embeddingBackward(dw, y, ids);
  }

  private Runnable rmsNorm(String op) {
    Tensor x = matrix(TOKENS, model.hiddenSize());
    Tensor other = matrix(TOKENS, model.hiddenSize());
    Tensor y = matrix(TOKENS, model.hiddenSize());
    Tensor w = matrix(1, model.hiddenSize()).reshape(model.hiddenSize());
    Tensor dw = backend.allocate(DType.F32, Layout.ROWS, model.hiddenSize());
    return switch (op) {
      case "rmsNorm" -> () -> backend.rmsNorm(y, x, w, model.rmsNormEps());
      case "addRmsNorm" -> () -> backend.addRmsNorm(y, x, other, w, model.rmsNormEps());
      default -> () -> backend.rmsNormBackward(y, dw, other, x, w, model.rmsNormEps(), false);
    };
  }

  private Runnable rope() {
    AttentionShape shape = model.attention();
    Tensor qkv = matrix(TOKENS, shape.qkvColumns());
    RotaryTable table = new RotaryTable(backend, LENGTH, model.headDim(), model.ropeTheta());
    Tensor positions = ints(TOKENS, i -> i % LENGTH);
    return () -> backend.rope(qkv, 0, shape.heads() + shape.kvHeads(), table.tensor(), positions, false);
  }

  private Runnable attention(String op) {
    AttentionShape shape = model.attention();
    Tensor qkv = matrix(TOKENS, shape.qkvColumns());
    Tensor o = matrix(TOKENS, shape.outColumns());
    Tensor lse = backend.allocate(DType.F32, Layout.ROWS, TOKENS, shape.heads());
    Tensor starts = ints(SEQUENCES + 1, i -> i * LENGTH);
    if (op.equals("attention")) {
      return () -> backend.attention(o, lse, qkv, shape, starts, LENGTH);
    }
    Tensor dO = matrix(TOKENS, shape.outColumns());
    Tensor dQkv = matrix(TOKENS, shape.qkvColumns());
    backend.attention(o, lse, qkv, shape, starts, LENGTH);
    return () -> backend.attentionBackward(dQkv, dO, o, lse, qkv, shape, starts, LENGTH);
  }

  private Runnable paged(String op) {
    AttentionShape shape = model.attention();
    int blocks = KvCache.blocksFor(CACHED);
    Tensor keys = backend.allocateKvCache(dtype, shape, ROWS * blocks);
    Tensor values = backend.allocateKvCache(dtype, shape, ROWS * blocks);
    Tensor prompts = matrix(ROWS * CACHED, shape.qkvColumns());
    Tensor slots = ints(ROWS * CACHED, i -> i / CACHED * blocks * Backend.KV_BLOCK + i % CACHED);
    Runnable append = () -> backend.kvAppend(keys, values, prompts, shape, slots);
    if (op.equals("kvAppend")) {
      return append;
    }
    append.run();
    Tensor qkv = matrix(ROWS, shape.qkvColumns());
    Tensor o = matrix(ROWS, shape.outColumns());
    Tensor table = ints(ROWS * blocks, i -> i).reshape(ROWS, blocks);
    Tensor starts = ints(ROWS + 1, i -> i);
    Tensor lengths = ints(ROWS, i -> CACHED);
    return () -> backend.attentionPaged(o, qkv, shape, keys, values, table, starts, lengths);
  }

  private Runnable swiglu(String op) {
    Tensor gateUp = matrix(TOKENS, 2 * model.intermediateSize());
    Tensor y = matrix(TOKENS, model.intermediateSize());
    Tensor dGateUp = matrix(TOKENS, 2 * model.intermediateSize());
    return op.equals("swiglu") ? () -> backend.swiglu(y, gateUp) : () -> backend.swigluBackward(dGateUp, y, gateUp);
  }

  private Runnable logprob(String op) {
    Tensor logits = floats(LOGIT_ROWS, model.vocabSize());
    Tensor targets = ints(LOGIT_ROWS, i -> random.nextInt(model.vocabSize()));
    Tensor logprob = row();
    Tensor entropy = row();
    if (op.equals("logprob")) {
      return () -> backend.logprob(logprob, entropy, null, logits, targets, 1);
    }
    Tensor weight = row();
    if (op.equals("logprobBackward")) {
      return () -> backend.logprobBackward(logits, weight, null, targets, 1);
    }
    TokenInputs inputs = new TokenInputs(weight, null, null, null, null, null);
    Tensor dLogprob = row();
    return () -> backend.policyLoss(logprob, entropy, dLogprob, logits, targets, inputs, 1, TokenLoss.LINEAR);
  }

  private Runnable sample(float topP) {
    Tensor logits = floats(LOGIT_ROWS, model.vocabSize());
    Tensor counters = ints(4 * LOGIT_ROWS, i -> i).reshape(LOGIT_ROWS, 4);
    Tensor token = ints(LOGIT_ROWS, i -> 0);
    Tensor logprob = row();
    Tensor entropy = row();
    SamplingSettings settings = new SamplingSettings(1, 0, topP, 0, 1, model.vocabSize(), 7);
    return () -> backend.sample(token, logprob, entropy, logits, counters, null, null, settings);
  }

  /** The MLP's first matrix: 8.7 million weights. */
  private Runnable weights(String op) {
    long rows = 2L * model.intermediateSize();
    Tensor master = backend.allocate(DType.F32, Layout.PACKED, rows, model.hiddenSize());
    Tensor weight = dtype == DType.F32 ? master : backend.allocate(dtype, Layout.PACKED, rows, model.hiddenSize());
    Tensor grad = backend.allocate(DType.F32, Layout.PACKED, rows, model.hiddenSize());
    Tensor plain = matrix((int) rows, model.hiddenSize());
    backend.packRows(master, 0, plain);
    backend.packRows(grad, 0, plain);
    Tensor m = backend.allocate(DType.F32, Layout.PACKED, rows, model.hiddenSize());
    Tensor v = backend.allocate(DType.F32, Layout.PACKED, rows, model.hiddenSize());
    Tensor sums = backend.allocate(DType.F64, Layout.ROWS, 2);
    return switch (op) {
      case "sumSquares" -> () -> backend.sumSquares(sums, grad);
      case "adamw" -> () -> backend.adamw(weight, master, m, v, grad, adamw);
      case "castPacked" -> () -> backend.castPacked(weight == master ? m : weight, master);
      default -> () -> backend.packRows(weight, 0, plain);
    };
  }

  private Tensor row() {
    return floats(1, LOGIT_ROWS).reshape(LOGIT_ROWS);
  }

  private Tensor floats(int rows, int columns) {
    Tensor tensor = backend.allocate(DType.F32, Layout.ROWS, rows, columns);
    float[] values = new float[Math.multiplyExact(rows, columns)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextDouble() * 2 - 1);
    }
    backend.upload(tensor, values, 0);
    return tensor;
  }

  private Tensor matrix(int rows, int columns) {
    Tensor values = floats(rows, columns);
    if (dtype == DType.F32) {
      return values;
    }
    Tensor tensor = backend.allocate(dtype, Layout.ROWS, rows, columns);
    backend.cast(tensor, values);
    values.close();
    return tensor;
  }

  private Tensor packed(long rows, int columns) {
    Tensor weight = backend.allocate(dtype, Layout.PACKED, rows, columns);
    Tensor some = floats(64, columns);
    for (long row = 0; row < rows; row += 64) {
      backend.packRows(weight, row, some.rows(0, Math.min(64, rows - row)));
    }
    some.close();
    return weight;
  }

  private Tensor ints(int count, IntUnaryOperator value) {
    int[] values = new int[count];
    Arrays.setAll(values, value);
    Tensor tensor = backend.allocate(DType.I32, Layout.ROWS, count);
    backend.upload(tensor, values, 0);
    return tensor;
  }
}
