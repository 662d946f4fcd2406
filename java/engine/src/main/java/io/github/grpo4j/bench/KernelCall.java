package io.github.grpo4j.bench;

import io.github.grpo4j.backend.AdamWSettings;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.Backend.AttentionShape;
import io.github.grpo4j.backend.Backend.Segments;
import io.github.grpo4j.backend.Backend.TokenInputs;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.SamplingSettings;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.TokenLoss;
import io.github.grpo4j.model.KvCache;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.RotaryTable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntUnaryOperator;

/**
 * One call of one op at the shapes of a model, with random operands that it owns: 512 tokens of training in 4 sequences, or
 * some rows of decoding over 200 cached positions. Matrix products are those of the MLP's first matrix, the model's largest
 * but the head.
 *
 * <p>What a call costs: {@link #operations} counts a product, a sum, a comparison, a quotient, a root and an exponential one
 * each, as the formula has them; {@link #bytes} counts every operand once, read or written (twice where it is both). So the
 * rates are those of the formula, whatever a kernel does beyond it.
 */
public final class KernelCall implements AutoCloseable {
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
  private final List<AutoCloseable> owned = new ArrayList<>();
  private final SplittableRandom random = new SplittableRandom(1);
  private final int hidden;
  private final int mlp;
  private final Runnable call;
  private String shape;
  private double operations;
  private double bytes;

  /** Allocates and fills the operands. */
  public KernelCall(Backend backend, ModelConfig model, DType dtype, Kernel kernel) {
    this.backend = backend;
    this.model = model;
    this.dtype = dtype;
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
      case LINEAR -> linear(TOKENS);
      case LINEAR_DECODE_1 -> linear(1);
      case LINEAR_DECODE_8 -> linear(8);
      case LINEAR_DECODE_32 -> linear(32);
      case HEAD_DECODE_8 -> head(8);
      case LINEAR_BACKWARD_INPUT, LINEAR_BACKWARD_WEIGHT -> linearBackward(kernel);
      case EMBEDDING, EMBEDDING_BACKWARD -> embedding(kernel);
      case RMS_NORM, ADD_RMS_NORM, RMS_NORM_BACKWARD -> rmsNorm(kernel);
      case ROPE -> rope();
      case ATTENTION, ATTENTION_BACKWARD -> attention(kernel);
      case KV_APPEND, ATTENTION_PAGED -> paged(kernel);
      case SWIGLU, SWIGLU_BACKWARD -> swiglu(kernel);
      case LOGPROB, LOGPROB_BACKWARD, POLICY_LOSS -> logprob(kernel);
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
    Tensor x = matrix(rows, hidden);
    Tensor w = packed(mlp, hidden);
    Tensor y = matrix(rows, mlp);
    return cost(rows + " x " + mlp + " x " + hidden, 2.0 * rows * mlp * hidden, size(x, w, y), () -> backend.linear(y, x, w, null, false));
  }

  private Runnable head(int rows) {
    Tensor x = matrix(rows, hidden);
    Tensor w = packed(model.vocabSize(), hidden);
    Tensor y = floats(rows, model.vocabSize());
    return cost(rows + " x " + model.vocabSize() + " x " + hidden, 2.0 * rows * model.vocabSize() * hidden, size(x, w, y),
        () -> backend.linear(y, x, w, null, false));
  }

  private Runnable linearBackward(Kernel kernel) {
    Tensor x = matrix(TOKENS, hidden);
    Tensor dy = matrix(TOKENS, mlp);
    String product = TOKENS + " x " + mlp + " x " + hidden;
    double operations = 2.0 * TOKENS * mlp * hidden;
    if (kernel == Kernel.LINEAR_BACKWARD_INPUT) {
      Tensor dx = matrix(TOKENS, hidden);
      Tensor w = packed(mlp, hidden);
      return cost(product, operations, size(dx, dy, w), () -> backend.linearBackwardInput(dx, dy, w, false));
    }
    Tensor dw = allocate(DType.F32, Layout.PACKED, mlp, hidden);
    return cost(product, operations, 2 * size(dw) + size(dy, x), () -> backend.linearBackwardWeight(dw, null, dy, x));
  }

  private Runnable embedding(Kernel kernel) {
    Tensor ids = ints(TOKENS, i -> random.nextInt(model.vocabSize()));
    Tensor y = matrix(TOKENS, hidden);
    String rows = TOKENS + " x " + hidden;
    if (kernel == Kernel.EMBEDDING) {
      Tensor w = packed(model.vocabSize(), hidden);
      return cost(rows, 0, 2 * size(y), () -> backend.embedding(y, w, ids));
    }
    Tensor dw = allocate(DType.F32, Layout.PACKED, model.vocabSize(), hidden);
    return cost(rows, (double) TOKENS * hidden, size(y) + 8.0 * TOKENS * hidden, () -> backend.embeddingBackward(dw, y, ids));
  }

  private Runnable rmsNorm(Kernel kernel) {
    Tensor x = matrix(TOKENS, hidden);
    Tensor other = matrix(TOKENS, hidden);
    Tensor y = matrix(TOKENS, hidden);
    Tensor w = matrix(1, hidden).reshape(hidden);
    Tensor dw = allocate(DType.F32, Layout.ROWS, hidden);
    String rows = TOKENS + " x " + hidden;
    double elements = (double) TOKENS * hidden;
    return switch (kernel) {
      case RMS_NORM -> cost(rows, 4 * elements, size(x, y), () -> backend.rmsNorm(y, x, w, model.rmsNormEps()));
      case ADD_RMS_NORM -> cost(rows, 5 * elements, 2 * size(x) + size(other, y), () -> backend.addRmsNorm(y, x, other, w, model.rmsNormEps()));
      default -> cost(rows, 11 * elements, size(x, other, y),
          () -> backend.rmsNormBackward(y, dw, other, x, w, model.rmsNormEps(), false));
    };
  }

  private Runnable rope() {
    AttentionShape attention = model.attention();
    Tensor qkv = matrix(TOKENS, attention.qkvColumns());
    RotaryTable table = own(new RotaryTable(backend, LENGTH, model.headDim(), model.ropeTheta()));
    Tensor positions = ints(TOKENS, i -> i % LENGTH);
    int heads = attention.heads() + attention.kvHeads();
    double elements = (double) TOKENS * heads * model.headDim();
    return cost(TOKENS + " x " + heads + " heads", 3 * elements, 2 * elements * dtype.bytes() + size(table.tensor()),
        () -> backend.rope(qkv, 0, heads, table.tensor(), positions, false));
  }

  private Runnable attention(Kernel kernel) {
    AttentionShape attention = model.attention();
    Tensor qkv = matrix(TOKENS, attention.qkvColumns());
    Tensor o = matrix(TOKENS, attention.outColumns());
    Tensor lse = allocate(DType.F32, Layout.ROWS, TOKENS, attention.heads());
    Segments segments = Segments.withoutParents(ints(SEQUENCES + 1, i -> i * LENGTH), LENGTH);
    String sequences = SEQUENCES + " x " + LENGTH + ", " + attention.heads() + " heads";
    // Of every pair of a query and a key that it sees: two products of head_dim forward, five backward.
    double pairs = SEQUENCES * (LENGTH * (LENGTH + 1) / 2.0) * attention.heads();
    if (kernel == Kernel.ATTENTION) {
      return cost(sequences, 4 * pairs * attention.headDim(), size(qkv, o, lse), () -> backend.attention(o, lse, qkv, attention, segments));
    }
    Tensor dO = matrix(TOKENS, attention.outColumns());
    Tensor dQkv = matrix(TOKENS, attention.qkvColumns());
    backend.attention(o, lse, qkv, attention, segments);
    return cost(sequences, 10 * pairs * attention.headDim(), size(qkv, o, lse, dO, dQkv),
        () -> backend.attentionBackward(dQkv, dO, o, lse, qkv, attention, segments, null));
  }

  private Runnable paged(Kernel kernel) {
    AttentionShape attention = model.attention();
    int blocks = KvCache.blocksFor(CACHED);
    Tensor keys = own(backend.allocateKvCache(dtype, attention, ROWS * blocks));
    Tensor values = own(backend.allocateKvCache(dtype, attention, ROWS * blocks));
    Tensor prompts = matrix(ROWS * CACHED, attention.qkvColumns());
    Tensor slots = ints(ROWS * CACHED, i -> i / CACHED * blocks * Backend.KV_BLOCK + i % CACHED);
    Runnable append = () -> backend.kvAppend(keys, values, prompts, attention, slots);
    double cacheBytes = 2.0 * ROWS * CACHED * attention.kvHeads() * attention.headDim() * dtype.bytes();
    if (kernel == Kernel.KV_APPEND) {
      return cost(ROWS * CACHED + " x " + attention.kvHeads() + " heads", 0, 2 * cacheBytes, append);
    }
    append.run();
    Tensor qkv = matrix(ROWS, attention.qkvColumns());
    Tensor o = matrix(ROWS, attention.outColumns());
    Tensor table = ints(ROWS * blocks, i -> i).reshape(ROWS, blocks);
    Tensor starts = ints(ROWS + 1, i -> i);
    Tensor lengths = ints(ROWS, i -> CACHED);
    return cost(ROWS + " x " + CACHED + " cached", 4.0 * ROWS * CACHED * attention.outColumns(), cacheBytes + size(qkv, o),
        () -> backend.attentionPaged(o, qkv, attention, keys, values, table, starts, lengths));
  }

  private Runnable swiglu(Kernel kernel) {
    Tensor gateUp = matrix(TOKENS, mlp);
    Tensor y = matrix(TOKENS, model.intermediateSize());
    String rows = TOKENS + " x " + model.intermediateSize();
    double elements = (double) TOKENS * model.intermediateSize();
    if (kernel == Kernel.SWIGLU) {
      return cost(rows, 5 * elements, size(gateUp, y), () -> backend.swiglu(y, gateUp));
    }
    Tensor dGateUp = matrix(TOKENS, mlp);
    return cost(rows, 11 * elements, size(gateUp, y, dGateUp), () -> backend.swigluBackward(dGateUp, y, gateUp));
  }

  private Runnable logprob(Kernel kernel) {
    Tensor logits = floats(LOGIT_ROWS, model.vocabSize());
    Tensor targets = ints(LOGIT_ROWS, i -> random.nextInt(model.vocabSize()));
    Tensor logprob = row();
    Tensor entropy = row();
    String rows = LOGIT_ROWS + " x " + model.vocabSize();
    double elements = (double) LOGIT_ROWS * model.vocabSize();
    if (kernel == Kernel.LOGPROB) {
      return cost(rows, 7 * elements, size(logits), () -> backend.logprob(logprob, entropy, null, logits, targets, 1));
    }
    Tensor weight = row();
    if (kernel == Kernel.LOGPROB_BACKWARD) {
      return cost(rows, 8 * elements, 2 * size(logits), () -> backend.logprobBackward(logits, weight, null, targets, 1));
    }
    TokenInputs inputs = new TokenInputs(weight, null, null, null, null, null);
    Tensor dLogprob = row();
    return cost(rows, 10 * elements, 2 * size(logits),
        () -> backend.policyLoss(logprob, entropy, dLogprob, logits, targets, inputs, 1, TokenLoss.LINEAR));
  }

  private Runnable sample(float topP) {
    Tensor logits = floats(LOGIT_ROWS, model.vocabSize());
    Tensor counters = ints(4 * LOGIT_ROWS, i -> i).reshape(LOGIT_ROWS, 4);
    Tensor token = ints(LOGIT_ROWS, i -> 0);
    Tensor logprob = row();
    Tensor entropy = row();
    SamplingSettings settings = new SamplingSettings(1, 0, topP, 0, 1, model.vocabSize(), 7);
    return cost(LOGIT_ROWS + " x " + model.vocabSize(), 8.0 * LOGIT_ROWS * model.vocabSize(), size(logits),
        () -> backend.sample(token, logprob, entropy, logits, counters, null, null, settings));
  }

  private Runnable weights(Kernel kernel) {
    Tensor master = allocate(DType.F32, Layout.PACKED, mlp, hidden);
    Tensor weight = dtype == DType.F32 ? master : allocate(dtype, Layout.PACKED, mlp, hidden);
    Tensor grad = allocate(DType.F32, Layout.PACKED, mlp, hidden);
    Tensor plain = matrix(mlp, hidden);
    backend.packRows(master, 0, plain);
    backend.packRows(grad, 0, plain);
    Tensor m = allocate(DType.F32, Layout.PACKED, mlp, hidden);
    Tensor v = allocate(DType.F32, Layout.PACKED, mlp, hidden);
    Tensor sums = allocate(DType.F64, Layout.ROWS, 2);
    AdamWSettings settings = new AdamWSettings(1e-5f, 0.9, 0.999, 1e-8f, 0, 10, 1);
    String matrix = mlp + " x " + hidden;
    double elements = (double) mlp * hidden;
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

  private <T extends AutoCloseable> T own(T resource) {
    owned.add(resource);
    return resource;
  }

  private Tensor allocate(DType type, Layout layout, long... dims) {
    return own(backend.allocate(type, layout, dims));
  }

  private Tensor row() {
    return floats(1, LOGIT_ROWS).reshape(LOGIT_ROWS);
  }

  private Tensor floats(int rows, int columns) {
    Tensor tensor = allocate(DType.F32, Layout.ROWS, rows, columns);
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
    Tensor matrix = allocate(dtype, Layout.ROWS, rows, columns);
    backend.cast(matrix, values);
    return matrix;
  }

  /** Of random rows that repeat every 1024: a vocabulary's worth of random numbers would take longer than the measurement. */
  private Tensor packed(long rows, long columns) {
    Tensor packed = allocate(dtype, Layout.PACKED, rows, columns);
    int block = (int) Math.min(rows, 1024);
    Tensor values = floats(block, (int) columns);
    for (long row = 0; row < rows; row += block) {
      long count = Math.min(block, rows - row);
      backend.packRows(packed, row, count == block ? values : values.rows(0, count));
    }
    return packed;
  }

  private Tensor ints(int count, IntUnaryOperator value) {
    int[] values = new int[count];
    Arrays.setAll(values, value);
    Tensor tensor = allocate(DType.I32, Layout.ROWS, count);
    backend.upload(tensor, values, 0);
    return tensor;
  }

  @Override
  public void close() {
    for (AutoCloseable resource : owned) {
      try {
        resource.close();
      } catch (Exception e) {
        throw new IllegalStateException("an operand could not be freed: " + e.getMessage(), e);
      }
    }
  }
}
