package io.github.grpo4j.backend.kernel;

import io.github.grpo4j.backend.AdamWSettings;
import io.github.grpo4j.backend.AdamWState;
import io.github.grpo4j.backend.AttentionShape;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.SamplingSettings;
import io.github.grpo4j.backend.Segments;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.TokenInputs;
import io.github.grpo4j.backend.TokenLoss;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * The conditions of every op on the shapes, types and layouts of its operands, checked before a kernel of any back end runs:
 * kernels trust their arguments. One method per op, named like it. What lies in device memory (token ids, positions,
 * {@code cuSeqlens}, cache slots) cannot be looked at here; whoever uploads such an array checks its values.
 *
 * <p>Every failure is an {@link IllegalArgumentException} that names the op, the operand as it is and as it must be. Nothing
 * is allocated unless a check fails.
 */
public final class OpChecks {
  private OpChecks() {}

  // ---- operands ----

  private static void rows(String op, String name, Tensor tensor, DType dtype, long rows, long columns) {
    if (tensor.layout() != Layout.ROWS || tensor.dtype() != dtype || tensor.rows() != rows || tensor.columns() != columns) {
      throw mismatch(op, name, tensor, dtype + "[" + rows + ", " + columns + "]");
    }
  }

  private static void vector(String op, String name, Tensor tensor, DType dtype, long elements) {
    if (tensor.layout() != Layout.ROWS || tensor.dtype() != dtype || tensor.elements() != elements) {
      throw mismatch(op, name, tensor, dtype + "[" + elements + "]");
    }
  }

  private static void vectorOrNull(String op, String name, Tensor tensor, DType dtype, long elements) {
    if (tensor != null) {
      vector(op, name, tensor, dtype, elements);
    }
  }

  private static void packed(String op, String name, Tensor tensor, DType dtype, long rows, long columns) {
    if (tensor.layout() != Layout.PACKED || tensor.dtype() != dtype || tensor.rows() != rows || tensor.columns() != columns) {
      throw mismatch(op, name, tensor, dtype + "[" + rows + ", " + columns + "] packed");
    }
  }

  /** Row-major, of a type that activations are stored in. */
  private static void activations(String op, String name, Tensor tensor) {
    rowMajorFloat(op, name, tensor);
  }

  private static void rowMajor(String op, String name, Tensor tensor, DType dtype) {
    if (tensor.layout() != Layout.ROWS || tensor.dtype() != dtype) {
      throw mismatch(op, name, tensor, "row-major " + dtype);
    }
  }

  private static void rowMajorFloat(String op, String name, Tensor tensor) {
    if (tensor.layout() != Layout.ROWS || !tensor.dtype().isStorage()) {
      throw mismatch(op, name, tensor, "row-major F32, BF16 or F16");
    }
  }

  /** The activations' own type, or F32 (logits and their gradient). */
  private static DType sameOrF32(String op, String name, Tensor tensor, DType dtype) {
    if (tensor.dtype() != dtype && tensor.dtype() != DType.F32) {
      throw mismatch(op, name, tensor, dtype == DType.F32 ? "F32" : dtype + " or F32");
    }
    return tensor.dtype();
  }

  private static IllegalArgumentException mismatch(String op, String name, Tensor tensor, String expected) {
    return new IllegalArgumentException(op + ": " + name + " is " + tensor + "; it must be " + expected);
  }

  private static void require(boolean valid, String op, String sentence) {
    if (!valid) {
      throw new IllegalArgumentException(op + ": " + sentence);
    }
  }

  // ---- memory ----

  public static void copy(Tensor dst, Tensor src) {
    boolean sameShape = dst.layout() == Layout.ROWS
        ? dst.elements() == src.elements()
        : dst.rows() == src.rows() && dst.columns() == src.columns();
    if (dst.dtype() != src.dtype() || dst.layout() != src.layout() || !sameShape) {
      throw mismatch("copy", "dst", dst, "of the type, layout and size of src " + src);
    }
  }

  /** Upload or download of a whole tensor from or to {@code array[offset …]}. */
  public static void array(String op, Tensor tensor, DType dtype, int length, int offset) {
    rowMajor(op, "tensor", tensor, dtype);
    if (offset < 0 || tensor.elements() > (long) length - offset) {
      throw new IllegalArgumentException(op + ": " + tensor + " has " + tensor.elements() + " elements, the array has "
          + length + " and the offset is " + offset);
    }
  }

  public static void bytes(String op, Tensor tensor, long offset, ByteBuffer buffer) {
    if (!buffer.isDirect()) {
      throw new IllegalArgumentException(op + ": the buffer must be direct; this one is on the Java heap");
    }
    if (offset < 0 || offset > tensor.bytes() || buffer.remaining() > tensor.bytes() - offset) {
      throw new IllegalArgumentException(op + ": " + buffer.remaining() + " bytes at offset " + offset + " do not fit "
          + tensor + " of " + tensor.bytes() + " bytes");
    }
  }

  // ---- conversions ----

  public static void cast(Tensor dst, Tensor src) {
    rowMajorFloat("cast", "dst", dst);
    rowMajorFloat("cast", "src", src);
    if (dst.elements() != src.elements()) {
      throw mismatch("cast", "dst", dst, "of as many elements as src " + src);
    }
  }

  public static void add(Tensor dst, Tensor src) {
    if (!dst.dtype().isStorage()) {
      throw mismatch("add", "dst", dst, "F32, BF16 or F16");
    }
    if (dst.dtype() != src.dtype() || dst.layout() != src.layout() || dst.elements() != src.elements()
        || dst.storedElements() != src.storedElements()) {
      throw mismatch("add", "dst", dst, "of the type, layout and size of src " + src);
    }
  }

  public static void packRows(Tensor packed, long row0, Tensor src) {
    crossing("packRows", "src", src, packed, row0);
  }

  public static void unpackRows(Tensor dst, Tensor packed, long row0) {
    crossing("unpackRows", "dst", dst, packed, row0);
  }

  private static void crossing(String op, String name, Tensor plain, Tensor packed, long row0) {
    rowMajorFloat(op, name, plain);
    if (packed.layout() != Layout.PACKED) {
      throw mismatch(op, "packed", packed, "a packed matrix");
    }
    if (plain.columns() != packed.columns() || row0 < 0 || row0 > packed.rows() - plain.rows()) {
      throw new IllegalArgumentException(op + ": " + name + " " + plain + " does not fit " + packed + " from row " + row0);
    }
  }

  /** What goes between a tensor of the host and one of the device: nothing is converted on the way. */
  public static void hostRows(String op, String name, Tensor plain) {
    rowMajor(op, name, plain, DType.F32);
  }

  public static void castPacked(Tensor dst, Tensor master) {
    packed("castPacked", "master", master, DType.F32, master.rows(), master.columns());
    if (!dst.dtype().isStorage()) {
      throw mismatch("castPacked", "dst", dst, "packed F32, BF16 or F16");
    }
    packed("castPacked", "dst", dst, dst.dtype(), master.rows(), master.columns());
  }

  // ---- linear, embedding, norm, rope ----

  public static void linear(Tensor y, Tensor x, Tensor w, Tensor bias) {
    String op = "linear";
    activations(op, "x", x);
    long n = w.rows();
    packed(op, "w", w, x.dtype(), n, x.columns());
    rows(op, "y", y, sameOrF32(op, "y", y, x.dtype()), x.rows(), n);
    vectorOrNull(op, "bias", bias, x.dtype(), n);
  }

  public static void linearBackwardInput(Tensor dx, Tensor dy, Tensor w) {
    String op = "linearBackwardInput";
    activations(op, "dx", dx);
    packed(op, "w", w, dx.dtype(), w.rows(), dx.columns());
    rows(op, "dy", dy, sameOrF32(op, "dy", dy, dx.dtype()), dx.rows(), w.rows());
  }

  public static void linearBackwardWeight(Tensor dw, Tensor dbias, Tensor dy, Tensor x) {
    String op = "linearBackwardWeight";
    activations(op, "x", x);
    rows(op, "dy", dy, sameOrF32(op, "dy", dy, x.dtype()), x.rows(), dy.columns());
    packed(op, "dw", dw, DType.F32, dy.columns(), x.columns());
    vectorOrNull(op, "dbias", dbias, DType.F32, dy.columns());
  }

  public static void embedding(Tensor y, Tensor w, Tensor ids) {
    activations("embedding", "y", y);
    packed("embedding", "w", w, y.dtype(), w.rows(), y.columns());
    vector("embedding", "ids", ids, DType.I32, y.rows());
  }

  public static void embeddingBackward(Tensor dw, Tensor dy, Tensor ids) {
    activations("embeddingBackward", "dy", dy);
    packed("embeddingBackward", "dw", dw, DType.F32, dw.rows(), dy.columns());
    vector("embeddingBackward", "ids", ids, DType.I32, dy.rows());
  }

  public static void rmsNorm(Tensor y, Tensor x, Tensor w, float eps) {
    norm("rmsNorm", x, w, eps);
    rows("rmsNorm", "y", y, x.dtype(), x.rows(), x.columns());
  }

  public static void addRmsNorm(Tensor y, Tensor x, Tensor delta, Tensor w, float eps) {
    norm("addRmsNorm", x, w, eps);
    rows("addRmsNorm", "delta", delta, x.dtype(), x.rows(), x.columns());
    rows("addRmsNorm", "y", y, x.dtype(), x.rows(), x.columns());
  }

  public static void rmsNormBackward(Tensor dx, Tensor dw, Tensor dy, Tensor x, Tensor w, float eps) {
    String op = "rmsNormBackward";
    norm(op, x, w, eps);
    rows(op, "dx", dx, x.dtype(), x.rows(), x.columns());
    rows(op, "dy", dy, x.dtype(), x.rows(), x.columns());
    vector(op, "dw", dw, DType.F32, x.columns());
  }

  private static void norm(String op, Tensor x, Tensor w, float eps) {
    activations(op, "x", x);
    vector(op, "w", w, x.dtype(), x.columns());
    if (!(eps >= 0)) {
      throw new IllegalArgumentException(op + ": eps is " + eps + "; it must be 0 or more");
    }
  }

  public static void rope(Tensor x, int firstColumn, int heads, Tensor cosSin, Tensor positions) {
    activations("rope", "x", x);
    rowMajor("rope", "cosSin", cosSin, DType.F32);
    long headDim = cosSin.columns();
    if (headDim % 2 != 0) {
      throw mismatch("rope", "cosSin", cosSin, "F32 [positions, D] with an even D");
    }
    if (firstColumn < 0 || heads < 1 || firstColumn + heads * headDim > x.columns()) {
      throw new IllegalArgumentException("rope: " + heads + " heads of " + headDim + " from column " + firstColumn
          + " do not fit x " + x);
    }
    vector("rope", "positions", positions, DType.I32, x.rows());
  }

  // ---- attention ----

  private static void shape(String op, AttentionShape shape) {
    boolean valid = shape.kvHeads() > 0 && shape.heads() > 0 && shape.heads() % shape.kvHeads() == 0 && shape.headDim() > 0
        && shape.headDim() % 2 == 0;
    if (!valid) {
      throw new IllegalArgumentException(op + ": " + shape + " needs heads to be a multiple of kvHeads and an even headDim");
    }
  }

  /** I32 {@code [sequences + 1]}; returns the number of sequences. */
  private static long offsets(String op, String name, Tensor offsets) {
    rowMajor(op, name, offsets, DType.I32);
    if (offsets.elements() < 2) {
      throw mismatch(op, name, offsets, "I32[sequences + 1] with at least one sequence");
    }
    return offsets.elements() - 1;
  }

  public static void attention(Tensor o, Tensor lse, Tensor qkv, AttentionShape shape, Segments segments) {
    packedSequences("attention", qkv, shape, segments);
    rows("attention", "o", o, qkv.dtype(), qkv.rows(), shape.outColumns());
    vectorOrNull("attention", "lse", lse, DType.F32, qkv.rows() * shape.heads());
  }

  public static void attentionBackward(
      Tensor dqkv, Tensor dO, Tensor o, Tensor lse, Tensor qkv, AttentionShape shape, Segments segments, Tensor workspace) {
    String op = "attentionBackward";
    packedSequences(op, qkv, shape, segments);
    rows(op, "dqkv", dqkv, qkv.dtype(), qkv.rows(), shape.qkvColumns());
    rows(op, "dO", dO, qkv.dtype(), qkv.rows(), shape.outColumns());
    rows(op, "o", o, qkv.dtype(), qkv.rows(), shape.outColumns());
    vector(op, "lse", lse, DType.F32, qkv.rows() * shape.heads());
    boolean shared = segments.parents() != null;
    require((workspace != null) == shared && (segments.workspaceRows() != null) == shared, op,
        "a workspace and its rows belong to segments with parents, and only to them");
    if (shared) {
      vector(op, "workspaceRows", segments.workspaceRows(), DType.I32, segments.parents().elements());
      rows(op, "workspace", workspace, DType.F32, workspace.rows(), shape.workspaceColumns());
    }
  }

  private static void packedSequences(String op, Tensor qkv, AttentionShape shape, Segments segments) {
    shape(op, shape);
    activations(op, "qkv", qkv);
    rows(op, "qkv", qkv, qkv.dtype(), qkv.rows(), shape.qkvColumns());
    long count = offsets(op, "cuSeqlens", segments.cuSeqlens());
    vectorOrNull(op, "parents", segments.parents(), DType.I32, count);
    int maxSeqlen = segments.maxSeqlen();
    if (maxSeqlen < 0 || maxSeqlen > qkv.rows()) {
      throw new IllegalArgumentException(op + ": maxSeqlen is " + maxSeqlen + "; qkv " + qkv + " has " + qkv.rows() + " rows");
    }
  }

  public static void allocateKvCache(DType dtype, AttentionShape shape, int blocks) {
    shape("allocateKvCache", shape);
    require(dtype.isStorage(), "allocateKvCache", "the KV cache is F32, BF16 or F16");
    require(blocks > 0, "allocateKvCache", "the KV cache needs at least one block");
  }

  private static void cache(String op, String name, Tensor cache, DType dtype, AttentionShape shape) {
    rows(op, name, cache, dtype, cache.rows(), (long) shape.kvHeads() * shape.headDim() * Backend.KV_BLOCK);
  }

  public static void kvAppend(Tensor kCache, Tensor vCache, Tensor qkv, AttentionShape shape, Tensor slots) {
    String op = "kvAppend";
    shape(op, shape);
    activations(op, "qkv", qkv);
    rows(op, "qkv", qkv, qkv.dtype(), qkv.rows(), shape.qkvColumns());
    cache(op, "kCache", kCache, qkv.dtype(), shape);
    rows(op, "vCache", vCache, kCache.dtype(), kCache.rows(), kCache.columns());
    vector(op, "slots", slots, DType.I32, qkv.rows());
  }

  public static void kvCopyBlocks(Tensor cache, int[] from, int[] to) {
    activations("kvCopyBlocks", "cache", cache);
    if (from.length != to.length) {
      throw new IllegalArgumentException("kvCopyBlocks: " + from.length + " blocks to read, " + to.length + " to write");
    }
    for (int i = 0; i < from.length; i++) {
      if (from[i] < 0 || from[i] >= cache.rows() || to[i] < 0 || to[i] >= cache.rows()) {
        throw new IllegalArgumentException("kvCopyBlocks: block " + from[i] + " to " + to[i] + " of cache " + cache);
      }
    }
  }

  public static void attentionPaged(
      Tensor o, Tensor qkv, AttentionShape shape, Tensor kCache, Tensor vCache, Tensor blockTable, Tensor cuQ, Tensor kvLens) {
    String op = "attentionPaged";
    shape(op, shape);
    activations(op, "qkv", qkv);
    rows(op, "qkv", qkv, qkv.dtype(), qkv.rows(), shape.qkvColumns());
    rows(op, "o", o, qkv.dtype(), qkv.rows(), shape.outColumns());
    cache(op, "kCache", kCache, qkv.dtype(), shape);
    rows(op, "vCache", vCache, kCache.dtype(), kCache.rows(), kCache.columns());
    long sequences = offsets(op, "cuQ", cuQ);
    vector(op, "kvLens", kvLens, DType.I32, sequences);
    rows(op, "blockTable", blockTable, DType.I32, sequences, blockTable.columns());
  }

  // ---- SwiGLU ----

  public static void swiglu(Tensor y, Tensor gateUp) {
    activations("swiglu", "y", y);
    rows("swiglu", "gateUp", gateUp, y.dtype(), y.rows(), 2 * y.columns());
  }

  public static void swigluBackward(Tensor dGateUp, Tensor y, Tensor dy, Tensor gateUp) {
    activations("swigluBackward", "dy", dy);
    rows("swigluBackward", "y", y, dy.dtype(), dy.rows(), dy.columns());
    rows("swigluBackward", "gateUp", gateUp, dy.dtype(), dy.rows(), 2 * dy.columns());
    rows("swigluBackward", "dGateUp", dGateUp, dy.dtype(), dy.rows(), 2 * dy.columns());
  }

  // ---- log-probabilities, loss, sampling ----

  private static void scaledLogits(String op, Tensor logits, Tensor targets, float invTemperature) {
    rowMajor(op, "logits", logits, DType.F32);
    vector(op, "targets", targets, DType.I32, logits.rows());
    positive(op, invTemperature);
  }

  public static void logprob(Tensor logprob, Tensor entropy, Tensor lse, Tensor logits, Tensor targets, float invTemperature) {
    scaledLogits("logprob", logits, targets, invTemperature);
    vectorOrNull("logprob", "logprob", logprob, DType.F32, logits.rows());
    vectorOrNull("logprob", "entropy", entropy, DType.F32, logits.rows());
    vectorOrNull("logprob", "lse", lse, DType.F32, logits.rows());
  }

  public static void logprobBackward(Tensor logits, Tensor dLogprob, Tensor dEntropy, Tensor targets, float invTemperature) {
    scaledLogits("logprobBackward", logits, targets, invTemperature);
    vector("logprobBackward", "dLogprob", dLogprob, DType.F32, logits.rows());
    vectorOrNull("logprobBackward", "dEntropy", dEntropy, DType.F32, logits.rows());
  }

  /** Of kl and klBackward: the vector is the divergence or its derivative. */
  public static void kl(String op, Tensor vector, Tensor logits, Tensor refLogits, float invTemperature) {
    rowMajor(op, "logits", logits, DType.F32);
    rows(op, "refLogits", refLogits, DType.F32, logits.rows(), logits.columns());
    vector(op, op.equals("kl") ? "kl" : "dKl", vector, DType.F32, logits.rows());
    positive(op, invTemperature);
  }

  private static void positive(String op, float invTemperature) {
    if (!(invTemperature > 0) || Float.isInfinite(invTemperature)) {
      throw new IllegalArgumentException(op + ": invTemperature is " + invTemperature + "; it must be positive and finite");
    }
  }

  public static void policyLoss(
      Tensor logprob, Tensor entropy, Tensor dLogprob, Tensor logits, Tensor targets, TokenInputs inputs, float invTemperature, TokenLoss loss) {
    String op = "policyLoss";
    scaledLogits(op, logits, targets, invTemperature);
    long rows = logits.rows();
    vector(op, "logprob", logprob, DType.F32, rows);
    vector(op, "entropy", entropy, DType.F32, rows);
    vector(op, "dLogprob", dLogprob, DType.F32, rows);
    vector(op, "weight", inputs.weight(), DType.F32, rows);
    vectorOrNull(op, "advantage", inputs.advantage(), DType.F32, rows);
    vectorOrNull(op, "oldLogprob", inputs.oldLogprob(), DType.F32, rows);
    vectorOrNull(op, "refLogprob", inputs.refLogprob(), DType.F32, rows);
    vectorOrNull(op, "clipLow", inputs.clipLow(), DType.F32, rows);
    vectorOrNull(op, "clipHigh", inputs.clipHigh(), DType.F32, rows);
    if (loss.kind() == TokenLoss.Kind.CLIPPED) {
      require(inputs.advantage() != null, op, "the clipped loss needs the advantage");
      require(loss.kl() == TokenLoss.Kl.NONE || inputs.refLogprob() != null, op, "the KL term needs refLogprob");
    }
  }

  public static void sample(
      Tensor token, Tensor logprob, Tensor entropy, Tensor logits, Tensor counters, Tensor history, Tensor historyStart, SamplingSettings settings) {
    long rows = logits.rows();
    filters("sample", logits, history, historyStart, settings);
    vector("sample", "token", token, DType.I32, rows);
    vector("sample", "logprob", logprob, DType.F32, rows);
    vector("sample", "entropy", entropy, DType.F32, rows);
    rows("sample", "counters", counters, DType.I32, rows, 4);
  }

  public static void inputTokens(Tensor ids, Tensor sampled, Tensor from, Tensor history, Tensor historyAt) {
    String op = "inputTokens";
    rowMajor(op, "ids", ids, DType.I32);
    rowMajor(op, "sampled", sampled, DType.I32);
    vector(op, "from", from, DType.I32, ids.elements());
    require((history == null) == (historyAt == null), op, "history and historyAt come together");
    if (history != null) {
      rowMajor(op, "history", history, DType.I32);
      vector(op, "historyAt", historyAt, DType.I32, ids.elements());
    }
  }

  public static void filteredProbs(Tensor probs, Tensor logits, Tensor history, Tensor historyStart, SamplingSettings settings) {
    filters("filteredProbs", logits, history, historyStart, settings);
    rows("filteredProbs", "probs", probs, DType.F32, logits.rows(), logits.columns());
  }

  private static void filters(String op, Tensor logits, Tensor history, Tensor historyStart, SamplingSettings settings) {
    rowMajor(op, "logits", logits, DType.F32);
    if (settings.vocabUsed() < 1 || settings.vocabUsed() > logits.columns()) {
      throw new IllegalArgumentException(op + ": vocabUsed is " + settings.vocabUsed() + "; logits are " + logits);
    }
    require((history == null) == (historyStart == null), op, "history and historyStart come together");
    require(settings.repetitionPenalty() == 1 || history != null, op, "a repetition penalty needs the history");
    if (history != null) {
      rowMajor(op, "history", history, DType.I32);
      vector(op, "historyStart", historyStart, DType.I32, logits.rows() + 1);
    }
  }

  // ---- optimizer ----

  public static void sumSquares(Tensor out, Tensor grad) {
    vector("sumSquares", "out", out, DType.F64, 2);
    if (grad.dtype() != DType.F32) {
      throw mismatch("sumSquares", "grad", grad, "F32");
    }
  }

  public static void adamw(Tensor weight, Tensor master, Tensor m, Tensor v, Tensor grad, AdamWSettings settings) {
    if (master.dtype() != DType.F32) {
      throw mismatch("adamw", "master", master, "F32");
    }
    like("m", m, DType.F32, master);
    like("v", v, DType.F32, master);
    like("grad", grad, DType.F32, master);
    like("weight", weight, weight.dtype(), master);
    if (!weight.dtype().isStorage()) {
      throw mismatch("adamw", "weight", weight, "F32, BF16 or F16");
    }
    if (settings.step() < 1) {
      throw new IllegalArgumentException("adamw: step is " + settings.step() + "; steps count from 1");
    }
  }

  public static void streamedAdamW(List<AdamWState> states, int bucket) {
    require(bucket > 0 && bucket % 64 == 0, "streamedAdamW", "buckets have " + bucket + " elements; it must be a multiple of 64");
    for (AdamWState each : states) {
      require(each.master().dtype() == DType.F32, "streamedAdamW", "master is " + each.master() + "; it must be F32");
      like("m", each.m(), DType.F32, each.master());
      like("v", each.v(), DType.F32, each.master());
      like("weight", each.weight(), each.weight().dtype(), each.master());
    }
  }

  public static void streamedStep(List<AdamWState> states, List<Tensor> grads, List<AdamWSettings> settings) {
    require(grads.size() == states.size() && settings.size() == states.size(), "streamedAdamW",
        "there are " + states.size() + " parameters, " + grads.size() + " gradients and " + settings.size() + " settings");
    for (int i = 0; i < states.size(); i++) {
      AdamWState each = states.get(i);
      adamw(each.weight(), each.master(), each.m(), each.v(), grads.get(i), settings.get(i));
    }
  }

  private static void like(String name, Tensor tensor, DType dtype, Tensor master) {
    boolean sameSize = tensor.elements() == master.elements() && tensor.storedElements() == master.storedElements();
    if (tensor.dtype() != dtype || tensor.layout() != master.layout() || !sameSize) {
      throw mismatch("adamw", name, tensor, dtype + " of the layout and size of master " + master);
    }
  }
}
