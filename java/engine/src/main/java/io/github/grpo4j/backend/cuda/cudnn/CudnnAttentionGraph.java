package io.github.grpo4j.backend.cuda.cudnn;

import io.github.grpo4j.backend.AttentionShape;
import io.github.grpo4j.backend.cuda.cudnn.CudnnGraph.Pointwise;
import io.github.grpo4j.backend.cuda.cudnn.CudnnGraph.Reduction;
import io.github.grpo4j.backend.cuda.cudnn.CudnnGraph.Type;
import io.github.grpo4j.backend.cuda.cudnn.CudnnGraph.Value;

/**
 * Causal attention of packed sequences as a cuDNN graph, forward or backward. The operations and their order are those that
 * NVIDIA's cudnn-frontend 1.19 emits (scaled_dot_product_flash_attention.h): cuDNN recognises attention by its pattern.
 *
 * <p>cuDNN sees {@code slots} sequences of at most {@code length} rows. Where each begins is told by offsets in device memory,
 * how long it is by lengths; a slot of length 0 is empty. So one graph serves every batch that fits.
 */
final class CudnnAttentionGraph implements AutoCloseable {
  private final CudnnGraph graph = new CudnnGraph();
  private final AttentionShape shape;
  private final Type type;
  private final long slots;
  private final long length;

  /** I32 {@code [slots]}. */
  final Value lengths;
  /** I64 {@code [slots + 1]}: first element of each sequence in qkv, in o and in lse. */
  final Value qkvOffsets;
  final Value outOffsets;
  final Value lseOffsets;
  final Value q;
  /** Transposed, as in the product with q. */
  final Value kT;
  /** Transposed in the backward pass only. */
  final Value v;
  final Value o;
  final Value lse;
  /** Of the backward pass, else null; as is all that follows. */
  final Value dO;
  final Value dQ;
  final Value dK;
  final Value dV;
  /** Scratch memory: the row sums of {@code dO o}, F32 {@code [slots, heads, length]}. */
  final Value rowSums;

  static CudnnAttentionGraph forward(AttentionShape shape, Type type, long slots, long length) {
    return new CudnnAttentionGraph(shape, type, slots, length, false);
  }

  static CudnnAttentionGraph backward(AttentionShape shape, Type type, long slots, long length) {
    return new CudnnAttentionGraph(shape, type, slots, length, true);
  }

  private CudnnAttentionGraph(AttentionShape shape, Type type, long slots, long length, boolean backward) {
    this.shape = shape;
    this.type = type;
    this.slots = slots;
    this.length = length;
    lengths = graph.memory(Type.I32, new long[] {slots, 1, 1, 1}, new long[] {1, 1, 1, 1}, null);
    qkvOffsets = offsets();
    outOffsets = offsets();
    lseOffsets = offsets();
    q = rows(shape.heads(), shape.qkvColumns(), qkvOffsets);
    kT = transposedRows();
    v = backward ? transposedRows() : rows(shape.kvHeads(), shape.qkvColumns(), qkvOffsets);
    o = rows(shape.heads(), shape.outColumns(), outOffsets);
    long heads = shape.heads();
    lse = graph.memory(Type.F32, new long[] {slots, heads, length, 1}, new long[] {heads * length, 1, heads, 1}, lseOffsets);
    dO = backward ? rows(shape.heads(), shape.outColumns(), outOffsets) : null;
    dQ = backward ? rows(shape.heads(), shape.qkvColumns(), qkvOffsets) : null;
    dK = backward ? rows(shape.kvHeads(), shape.qkvColumns(), qkvOffsets) : null;
    dV = backward ? rows(shape.kvHeads(), shape.qkvColumns(), qkvOffsets) : null;
    rowSums = backward ? graph.memory(Type.F32, new long[] {slots, heads, length, 1}, new long[] {heads * length, length, 1, 1}, null) : null;
    if (backward) {
      addBackward();
    } else {
      addForward();
    }
  }

  private Value offsets() {
    return graph.memory(Type.I64, new long[] {slots + 1, 1, 1, 1}, new long[] {1, 1, 1, 1}, null);
  }

  /** {@code [slots, heads, length, D]} in rows of so many columns. */
  private Value rows(int heads, long columns, Value offsets) {
    int d = shape.headDim();
    return graph.memory(type, new long[] {slots, heads, length, d}, new long[] {length * columns, d, columns, 1}, offsets);
  }

  /** Keys or values as {@code [slots, kvHeads, D, length]}. */
  private Value transposedRows() {
    int d = shape.headDim();
    long columns = shape.qkvColumns();
    return graph.memory(type, new long[] {slots, shape.kvHeads(), d, length}, new long[] {length * columns, d, 1, columns}, qkvOffsets);
  }

  /** {@code S = scale q k^T; P = softmax(S) below the diagonal; o = P v; lse = max + log(sum)}. */
  private void addForward() {
    Value scores = causal(insideLengths(scaledScores()));
    Value max = graph.reduce(column(), Reduction.MAX, scores);
    Value exp = graph.pointwise(square(), Pointwise.EXP, graph.pointwise(square(), Pointwise.SUB, scores, max), null);
    Value sum = graph.reduce(column(), Reduction.SUM, exp);
    graph.pointwise(lse, Pointwise.ADD, max, graph.pointwise(column(), Pointwise.LOG, sum, null));
    Value p = graph.pointwise(graph.virtual(type, slots, shape.heads(), length, length), Pointwise.DIV, exp, sum);
    graph.matmul(o, p, v, lengths, null, lengths);
  }

  /**
   * {@code P = exp(S - lse); dV = P^T dO; dS = scale P (dO v^T - rowsum(dO o)); dK = dS^T q; dQ = dS k}. dQ is written by its
   * product alone, without atomic sums in memory: that is the graph for which cuDNN takes a deterministic kernel.
   */
  private void addBackward() {
    Value products = graph.pointwise(graph.virtual(Type.F32, slots, shape.heads(), length, shape.headDim()), Pointwise.MUL, dO, o);
    graph.pointwise(rowSums, Pointwise.MUL, graph.reduce(column(), Reduction.SUM, products), graph.constant(1));
    Value scale = graph.constant(scale());
    Value scores = insideLengths(graph.pointwise(square(), Pointwise.MUL, product(square(), q, kT), scale));
    Value p = graph.pointwise(square(), Pointwise.EXP, causal(graph.pointwise(square(), Pointwise.SUB, scores, lse)), null);
    gradientOfSharedHeads(dV, transpose(p), dO);
    Value dP = graph.pointwise(square(), Pointwise.SUB, product(square(), dO, v), rowSums);
    Value dS = graph.pointwise(square(), Pointwise.MUL, graph.pointwise(square(), Pointwise.MUL, dP, p), scale);
    gradientOfSharedHeads(dK, transpose(dS), q);
    Value k = graph.virtual(Type.F32, new long[] {slots, shape.kvHeads(), length, shape.headDim()},
        new long[] {length * shape.qkvColumns(), shape.headDim(), shape.qkvColumns(), 1}, qkvOffsets);
    graph.matmul(dQ, dS, graph.reshape(k, kT), lengths, null, lengths);
  }

  private float scale() {
    return (float) (1 / Math.sqrt(shape.headDim()));
  }

  private Value scaledScores() {
    return graph.pointwise(square(), Pointwise.MUL, product(square(), q, kT), graph.constant(scale()));
  }

  /** {@code c = a b}, both of a sequence's length. */
  private Value product(Value c, Value a, Value b) {
    graph.matmul(c, a, b, lengths, lengths, null);
    return c;
  }

  /** Minus infinity outside a sequence's own rows and columns. */
  private Value insideLengths(Value scores) {
    Value row = graph.index(indices(), Type.I32, scores, 2);
    Value column = graph.index(indices(), Type.I32, scores, 3);
    Value rowInside = graph.pointwise(flags(), Pointwise.LESS, Type.BOOLEAN, row, lengths, null);
    Value columnInside = graph.pointwise(flags(), Pointwise.LESS, Type.BOOLEAN, column, lengths, null);
    Value inside = graph.pointwise(flags(), Pointwise.AND, Type.BOOLEAN, rowInside, columnInside, null);
    return graph.pointwise(square(), Pointwise.SELECT, Type.F32, scores, graph.constant(Float.NEGATIVE_INFINITY), inside);
  }

  /** Minus infinity above the diagonal. */
  private Value causal(Value scores) {
    Value row = graph.index(indices(), Type.F32, scores, 2);
    Value column = graph.index(indices(), Type.F32, scores, 3);
    Value past = graph.pointwise(flags(), Pointwise.GREATER_OR_EQUAL, Type.BOOLEAN, row, column, null);
    return graph.pointwise(square(), Pointwise.SELECT, Type.F32, scores, graph.constant(Float.NEGATIVE_INFINITY), past);
  }

  private Value transpose(Value x) {
    long[] shape = x.shape();
    Value y = graph.virtual(type, new long[] {shape[0], shape[1], shape[3], shape[2]}, new long[] {x.strides()[0], x.strides()[1], 1, x.strides()[2]}, null);
    return graph.reshape(y, x);
  }

  /** {@code dy = x z}, summed over the query heads that share a head of dy. */
  private void gradientOfSharedHeads(Value dy, Value x, Value z) {
    if (shape.heads() == shape.kvHeads()) {
      graph.matmul(dy, x, z, lengths, null, lengths);
    } else {
      Value all = graph.virtual(type, slots, shape.heads(), length, shape.headDim());
      graph.matmul(all, x, z, lengths, null, lengths);
      graph.reduce(dy, Reduction.SUM, all);
    }
  }

  private Value square() {
    return graph.virtual(Type.F32, slots, shape.heads(), length, length);
  }

  private Value column() {
    return graph.virtual(Type.F32, slots, shape.heads(), length, 1);
  }

  private Value indices() {
    return graph.virtual(Type.I32, slots, shape.heads(), length, length);
  }

  private Value flags() {
    return graph.virtual(Type.BOOLEAN, slots, shape.heads(), length, length);
  }

  /** @throws io.github.grpo4j.backend.BackendException with cuDNN's reason if it has no kernel for this */
  CudnnPlan plan(CudnnTarget target) {
    return graph.plan(target);
  }

  @Override
  public void close() {
    graph.close();
  }
}
