package io.github.grpo4j.bench;

import io.github.grpo4j.backend.AdamWSettings;
import io.github.grpo4j.backend.AttentionShape;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.SamplingSettings;
import io.github.grpo4j.backend.Segments;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.TokenInputs;
import io.github.grpo4j.backend.TokenLoss;
import io.github.grpo4j.model.KvCache;
import io.github.grpo4j.model.LossHead;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.RotaryTable;
import java.util.Arrays;

/**
 * One call of one op at the shapes of a model, with random operands that it owns: some sequences of training, or some rows of
 * decoding over a cache ({@link KernelLoad}). Matrix products are those of the MLP's first matrix, the model's largest but the
 * head.
 *
 * <p>What a call costs: {@link #operations} counts a product, a sum, a comparison, a quotient, a root and an exponential one
 * each, as the formula has them; {@link #bytes} counts every operand once, read or written (twice where it is both). So the
 * rates are those of the formula, whatever a kernel does beyond it.
 */
public final class KernelCall implements AutoCloseable {
  private final Backend backend;
  private final ModelConfig model;
  private final DType dtype;
  private final KernelLoad load;
  private final Operands operands;
  private final int hidden;
  private final int mlp;
  private final Runnable call;
  private String shape;
  private double operations;
  private double bytes;

  /** Allocates and fills the operands. */
  public KernelCall(Backend backend, ModelConfig model, DType dtype, Kernel kernel, KernelLoad load) {
    this.backend = backend;
    this.model = model;
    this.dtype = dtype;
    this.load = load;
    this.operands = new Operands(backend, dtype);
    this.hidden = model.hiddenSize();
    this.mlp = 2 * model.intermediateSize();
    try {
      this.call = prepare(kernel);
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  public void run() {
    call.run();
  }

  /** For example {@code 512 x 9728 x 896}. */
  public String shape() {
    return shape;
  }

  /** Arithmetic operations of a call. */
  public double operations() {
    return operations;
  }

  /** Bytes that a call must read and write at least. */
  public double bytes() {
    return bytes;
  }

  private Runnable prepare(Kernel kernel) {
    return switch (kernel) {
      case LINEAR -> linear(load.tokens());
      case LINEAR_DECODE_1 -> linear(1);
      case LINEAR_DECODE_32 -> linear(32);
      case LINEAR_DECODE -> linear(load.rows());
      case HEAD_DECODE -> head(load.rows());
      case LINEAR_BACKWARD_INPUT, LINEAR_BACKWARD_WEIGHT -> linearBackward(kernel);
      case EMBEDDING, EMBEDDING_BACKWARD -> embedding(kernel);
      case RMS_NORM, ADD_RMS_NORM, RMS_NORM_BACKWARD -> rmsNorm(kernel);
      case ROPE -> rope();
      case ATTENTION, ATTENTION_BACKWARD -> attention(kernel);
      case KV_APPEND, ATTENTION_PAGED -> paged(kernel);
      case SWIGLU, SWIGLU_BACKWARD -> swiglu(kernel);
      case LOGPROB, LOGPROB_BACKWARD, POLICY_LOSS -> logprob(kernel);
      case HEAD_LOSS -> headLoss();
      case SAMPLE -> sample(1);
      case SAMPLE_TOP_P -> sample(0.95f);
      case SUM_SQUARES, ADAMW, CAST_PACKED, PACK_ROWS -> weights(kernel);
    };
  }

  private Runnable cost(String shape, double operations, double bytes, Runnable call) {
    this.shape = shape;
    this.operations = operations;
    this.bytes = bytes;
    return call;
  }

  private Runnable linear(int rows) {
    Tensor x = operands.matrix(rows, hidden);
    Tensor w = operands.packed(mlp, hidden);
    Tensor y = operands.matrix(rows, mlp);
    return cost(rows + " x " + mlp + " x " + hidden, 2.0 * rows * mlp * hidden, size(x, w, y), () -> backend.linear(y, x, w, null, false));
  }

  private Runnable head(int rows) {
    Tensor x = operands.matrix(rows, hidden);
    Tensor w = operands.packed(model.vocabSize(), hidden);
    Tensor y = operands.floats(rows, model.vocabSize());
    return cost(rows + " x " + model.vocabSize() + " x " + hidden, 2.0 * rows * model.vocabSize() * hidden, size(x, w, y),
        () -> backend.linear(y, x, w, null, false));
  }

  private Runnable linearBackward(Kernel kernel) {
    Tensor x = operands.matrix(load.tokens(), hidden);
    Tensor dy = operands.matrix(load.tokens(), mlp);
    String product = load.tokens() + " x " + mlp + " x " + hidden;
    double operations = 2.0 * load.tokens() * mlp * hidden;
    if (kernel == Kernel.LINEAR_BACKWARD_INPUT) {
      Tensor dx = operands.matrix(load.tokens(), hidden);
      Tensor w = operands.packed(mlp, hidden);
      return cost(product, operations, size(dx, dy, w), () -> backend.linearBackwardInput(dx, dy, w, false));
    }
    Tensor dw = operands.allocate(DType.F32, Layout.PACKED, mlp, hidden);
    return cost(product, operations, 2 * size(dw) + size(dy, x), () -> backend.linearBackwardWeight(dw, null, dy, x));
  }

  private Runnable embedding(Kernel kernel) {
    Tensor ids = operands.ints(load.tokens(), i -> operands.randomBelow(model.vocabSize()));
    Tensor y = operands.matrix(load.tokens(), hidden);
    String rows = load.tokens() + " x " + hidden;
    if (kernel == Kernel.EMBEDDING) {
      Tensor w = operands.packed(model.vocabSize(), hidden);
      return cost(rows, 0, 2 * size(y), () -> backend.embedding(y, w, ids));
    }
    Tensor dw = operands.allocate(DType.F32, Layout.PACKED, model.vocabSize(), hidden);
    return cost(rows, (double) load.tokens() * hidden, size(y) + 8.0 * load.tokens() * hidden, () -> backend.embeddingBackward(dw, y, ids));
  }

  private Runnable rmsNorm(Kernel kernel) {
    Tensor x = operands.matrix(load.tokens(), hidden);
    Tensor other = operands.matrix(load.tokens(), hidden);
    Tensor y = operands.matrix(load.tokens(), hidden);
    Tensor w = operands.matrix(1, hidden).reshape(hidden);
    Tensor dw = operands.allocate(DType.F32, Layout.ROWS, hidden);
    String rows = load.tokens() + " x " + hidden;
    double elements = (double) load.tokens() * hidden;
    return switch (kernel) {
      case RMS_NORM -> cost(rows, 4 * elements, size(x, y), () -> backend.rmsNorm(y, x, w, model.rmsNormEps()));
      case ADD_RMS_NORM -> cost(rows, 5 * elements, 2 * size(x) + size(other, y), () -> backend.addRmsNorm(y, x, other, w, model.rmsNormEps()));
      default -> cost(rows, 11 * elements, size(x, other, y),
          () -> backend.rmsNormBackward(y, dw, other, x, w, model.rmsNormEps(), false));
    };
  }

  private Runnable rope() {
    AttentionShape attention = model.attention();
    Tensor qkv = operands.matrix(load.tokens(), attention.qkvColumns());
    RotaryTable table = operands.own(new RotaryTable(backend, load.length(), model.headDim(), model.ropeTheta()));
    Tensor positions = operands.ints(load.tokens(), i -> i % load.length());
    int heads = attention.heads() + attention.kvHeads();
    double elements = (double) load.tokens() * heads * model.headDim();
    return cost(load.tokens() + " x " + heads + " heads", 3 * elements, 2 * elements * dtype.bytes() + size(table.tensor()),
        () -> backend.rope(qkv, 0, heads, table.tensor(), positions, false));
  }

  private Runnable attention(Kernel kernel) {
    AttentionShape attention = model.attention();
    Tensor qkv = operands.matrix(load.tokens(), attention.qkvColumns());
    Tensor o = operands.matrix(load.tokens(), attention.outColumns());
    Tensor lse = operands.allocate(DType.F32, Layout.ROWS, load.tokens(), attention.heads());
    Segments segments = Segments.withoutParents(operands.ints(load.sequences() + 1, i -> i * load.length()), load.length());
    String sequences = load.sequences() + " x " + load.length() + ", " + attention.heads() + " heads";
    // Of every pair of a query and a key that it sees: two products of head_dim forward, five backward.
    double pairs = load.sequences() * (load.length() * (load.length() + 1) / 2.0) * attention.heads();
    if (kernel == Kernel.ATTENTION) {
      return cost(sequences, 4 * pairs * attention.headDim(), size(qkv, o, lse), () -> backend.attention(o, lse, qkv, attention, segments));
    }
    Tensor dO = operands.matrix(load.tokens(), attention.outColumns());
    Tensor dQkv = operands.matrix(load.tokens(), attention.qkvColumns());
    backend.attention(o, lse, qkv, attention, segments);
    return cost(sequences, 10 * pairs * attention.headDim(), size(qkv, o, lse, dO, dQkv),
        () -> backend.attentionBackward(dQkv, dO, o, lse, qkv, attention, segments, null));
  }

  private Runnable paged(Kernel kernel) {
    AttentionShape attention = model.attention();
    int blocks = KvCache.blocksFor(load.cached());
    Tensor keys = operands.own(backend.allocateKvCache(dtype, attention, load.rows() * blocks));
    Tensor values = operands.own(backend.allocateKvCache(dtype, attention, load.rows() * blocks));
    Tensor prompts = operands.matrix(load.rows() * load.cached(), attention.qkvColumns());
    Tensor slots = operands.ints(load.rows() * load.cached(), i -> i / load.cached() * blocks * Backend.KV_BLOCK + i % load.cached());
    Runnable append = () -> backend.kvAppend(keys, values, prompts, attention, slots);
    double cacheBytes = 2.0 * load.rows() * load.cached() * attention.kvHeads() * attention.headDim() * dtype.bytes();
    if (kernel == Kernel.KV_APPEND) {
      return cost(load.rows() * load.cached() + " x " + attention.kvHeads() + " heads", 0, 2 * cacheBytes, append);
    }
    append.run();
    Tensor qkv = operands.matrix(load.rows(), attention.qkvColumns());
    Tensor o = operands.matrix(load.rows(), attention.outColumns());
    Tensor table = operands.ints(load.rows() * blocks, i -> i).reshape(load.rows(), blocks);
    Tensor starts = operands.ints(load.rows() + 1, i -> i);
    Tensor lengths = operands.ints(load.rows(), i -> load.cached());
    return cost(load.rows() + " x " + load.cached() + " cached", 4.0 * load.rows() * load.cached() * attention.outColumns(),
        cacheBytes + size(qkv, o),
        () -> backend.attentionPaged(o, qkv, attention, keys, values, table, starts, lengths));
  }

  private Runnable swiglu(Kernel kernel) {
    Tensor gateUp = operands.matrix(load.tokens(), mlp);
    Tensor y = operands.matrix(load.tokens(), model.intermediateSize());
    String rows = load.tokens() + " x " + model.intermediateSize();
    double elements = (double) load.tokens() * model.intermediateSize();
    if (kernel == Kernel.SWIGLU) {
      return cost(rows, 5 * elements, size(gateUp, y), () -> backend.swiglu(y, gateUp));
    }
    Tensor dGateUp = operands.matrix(load.tokens(), mlp);
    Tensor dy = operands.matrix(load.tokens(), model.intermediateSize());
    return cost(rows, 12 * elements, size(gateUp, dy, y, dGateUp), () -> backend.swigluBackward(dGateUp, y, dy, gateUp));
  }

  private Runnable logprob(Kernel kernel) {
    Tensor logits = operands.floats(load.logitRows(), model.vocabSize());
    Tensor targets = operands.ints(load.logitRows(), i -> operands.randomBelow(model.vocabSize()));
    Tensor logprob = operands.vector(load.logitRows());
    Tensor entropy = operands.vector(load.logitRows());
    String rows = load.logitRows() + " x " + model.vocabSize();
    double elements = (double) load.logitRows() * model.vocabSize();
    if (kernel == Kernel.LOGPROB) {
      return cost(rows, 7 * elements, size(logits), () -> backend.logprob(logprob, entropy, null, logits, targets, 1));
    }
    Tensor weight = operands.vector(load.logitRows());
    if (kernel == Kernel.LOGPROB_BACKWARD) {
      return cost(rows, 8 * elements, 2 * size(logits), () -> backend.logprobBackward(logits, weight, null, targets, 1));
    }
    TokenInputs inputs = new TokenInputs(weight, null, null, null, null, null);
    Tensor dLogprob = operands.vector(load.logitRows());
    return cost(rows, 10 * elements, 2 * size(logits),
        () -> backend.policyLoss(logprob, entropy, dLogprob, logits, targets, inputs, 1, TokenLoss.LINEAR));
  }

  /** The calls that {@link LossHead#backward} makes for the rows of one or more chunks: of these ops, the ones that add up to most. */
  private Runnable headLoss() {
    int rows = Math.max(1, load.tokens() / 8);
    int vocab = model.vocabSize();
    int chunk = Math.min(rows, LossHead.chunkRows(vocab));
    Tensor x = operands.matrix(rows, hidden);
    Tensor dx = operands.matrix(rows, hidden);
    Tensor w = operands.packed(vocab, hidden);
    Tensor dw = operands.allocate(DType.F32, Layout.PACKED, vocab, hidden);
    Tensor logits = operands.floats(chunk, vocab);
    Tensor targets = operands.ints(rows, i -> operands.randomBelow(vocab));
    Tensor logprob = operands.vector(rows);
    Tensor entropy = operands.vector(rows);
    Tensor dLogprob = operands.vector(rows);
    Tensor weight = operands.vector(rows);
    return cost(rows + " x " + vocab + " x " + hidden, 6.0 * rows * vocab * hidden, size(x, dx, w) + 2 * size(dw), () -> {
      for (int row = 0; row < rows; row += chunk) {
        int n = Math.min(chunk, rows - row);
        Tensor part = logits.rows(0, n);
        TokenInputs inputs = new TokenInputs(weight.rows(row, n), null, null, null, null, null);
        backend.linear(part, x.rows(row, n), w, null, false);
        backend.policyLoss(logprob.rows(row, n), entropy.rows(row, n), dLogprob.rows(row, n), part, targets.rows(row, n), inputs, 1,
            TokenLoss.LINEAR);
        backend.linearBackwardInput(dx.rows(row, n), part, w, false);
        backend.linearBackwardWeight(dw, null, part, x.rows(row, n));
      }
    });
  }

  private Runnable sample(float topP) {
    Tensor logits = operands.floats(load.logitRows(), model.vocabSize());
    Tensor counters = operands.ints(4 * load.logitRows(), i -> i).reshape(load.logitRows(), 4);
    Tensor token = operands.ints(load.logitRows(), i -> 0);
    Tensor logprob = operands.vector(load.logitRows());
    Tensor entropy = operands.vector(load.logitRows());
    SamplingSettings settings = new SamplingSettings(1, 0, topP, 0, 1, model.vocabSize(), 7);
    return cost(load.logitRows() + " x " + model.vocabSize(), 8.0 * load.logitRows() * model.vocabSize(), size(logits),
        () -> backend.sample(token, logprob, entropy, logits, counters, null, null, settings));
  }

  private Runnable weights(Kernel kernel) {
    int rows = load.matrices() * mlp;
    Tensor master = operands.allocate(DType.F32, Layout.PACKED, rows, hidden);
    Tensor weight = dtype == DType.F32 ? master : operands.allocate(dtype, Layout.PACKED, rows, hidden);
    Tensor grad = operands.allocate(DType.F32, Layout.PACKED, rows, hidden);
    Tensor plain = operands.matrix(rows, hidden);
    backend.packRows(master, 0, plain);
    backend.packRows(grad, 0, plain);
    Tensor m = operands.allocate(DType.F32, Layout.PACKED, rows, hidden);
    Tensor v = operands.allocate(DType.F32, Layout.PACKED, rows, hidden);
    Tensor sums = operands.allocate(DType.F64, Layout.ROWS, 2);
    AdamWSettings settings = new AdamWSettings(1e-5f, 0.9, 0.999, 1e-8f, 0, 10, 1);
    String matrix = rows + " x " + hidden;
    double elements = (double) rows * hidden;
    Tensor rounded = weight == master ? m : weight;
    return switch (kernel) {
      case SUM_SQUARES -> cost(matrix, 2 * elements, size(grad), () -> backend.sumSquares(sums, grad));
      case ADAMW -> cost(matrix, 16 * elements, 2 * size(master, m, v) + size(grad) + (weight == master ? 0 : size(weight)),
          () -> backend.adamw(weight, master, m, v, grad, settings));
      case CAST_PACKED -> cost(matrix, 0, size(rounded, master), () -> backend.castPacked(rounded, master));
      default -> cost(matrix, 0, size(plain, weight), () -> backend.packRows(weight, 0, plain));
    };
  }

  private static double size(Tensor... tensors) {
    return Arrays.stream(tensors).mapToLong(Tensor::bytes).sum();
  }

  @Override
  public void close() {
    operands.close();
  }
}
