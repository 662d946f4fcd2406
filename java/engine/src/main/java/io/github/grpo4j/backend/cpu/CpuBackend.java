package io.github.grpo4j.backend.cpu;

import io.github.grpo4j.backend.AdamWSettings;
import io.github.grpo4j.backend.AdamWState;
import io.github.grpo4j.backend.AttentionShape;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.DeviceKind;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Readback;
import io.github.grpo4j.backend.Replay;
import io.github.grpo4j.backend.SamplingSettings;
import io.github.grpo4j.backend.Segments;
import io.github.grpo4j.backend.StreamedAdamW;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.TokenInputs;
import io.github.grpo4j.backend.TokenLoss;
import io.github.grpo4j.backend.Updater;
import io.github.grpo4j.backend.kernel.HostMemory;
import io.github.grpo4j.backend.kernel.OpChecks;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.bytedeco.javacpp.LongPointer;

/**
 * The op catalogue on this machine's processor: C++ kernels for the fastest instruction set it has, run by a pool of threads
 * that block when idle. Calls return when the work is done.
 *
 * <p>Same inputs give the same bits whatever the number of threads. Different instruction sets differ in the last bits.
 *
 * <p>{@link #close} ends the threads. Tensors that are still open keep their memory and are to be closed like any other;
 * ops on a closed back end throw {@link IllegalStateException}.
 */
public final class CpuBackend implements Backend {
  /** Instruction sets, weakest first: what the kernels are compiled for. */
  public enum Isa {
    BASELINE(CpuOps.G4_ISA_BASELINE, "baseline instructions"),
    AVX2(CpuOps.G4_ISA_AVX2, "AVX2"),
    AVX512(CpuOps.G4_ISA_AVX512, "AVX-512"),
    AVX512_BF16(CpuOps.G4_ISA_AVX512_BF16, "AVX-512 with BF16");

    private final int code;
    private final String title;

    Isa(int code, String title) {
      this.code = code;
      this.title = title;
    }

    /** The code of this instruction set in the op catalogue. */
    public int code() {
      return code;
    }

    private static Isa of(int code) {
      return Arrays.stream(values()).filter(isa -> isa.code == code).findFirst().orElseThrow();
    }
  }

  private static final int MAX_THREADS = 1024;

  /** Why the native library could not be loaded: the JVM tells it once only, later attempts just fail. */
  private static LinkageError loadFailure;

  private final int threads;
  private final Isa isa;
  private final AtomicLong allocatedBytes = new AtomicLong();
  private final KernelSettings settings = new KernelSettings();
  private long stream;

  private CpuBackend(long stream, int threads) {
    this.stream = stream;
    this.threads = threads;
    this.isa = Isa.of(CpuOps.g4_stream_isa(stream));
  }

  /**
   * A back end with the fastest instruction set of this machine. That is not always the strongest: the BF16 products of some
   * processors are slower than their fp32 ones, so both are timed when the first back end is made. The bits are the same.
   *
   * @param threads of the kernels, the calling one included
   * @throws BackendException if the native library cannot be loaded or the threads cannot be started
   */
  public static CpuBackend create(int threads) {
    return create(threads, CpuOps.G4_ISA_BEST);
  }

  /**
   * @param threads of the kernels, the calling one included
   * @param limit the strongest instruction set to use; a machine that lacks it uses the best one below it
   * @throws BackendException if the native library cannot be loaded or the threads cannot be started
   */
  public static CpuBackend create(int threads, Isa limit) {
    return create(threads, limit.code);
  }

  private static CpuBackend create(int threads, int isa) {
    if (threads < 1 || threads > MAX_THREADS) {
      throw new IllegalArgumentException("threads is " + threads + "; it must be from 1 to " + MAX_THREADS);
    }
    loadLibrary();
    try (LongPointer handle = new LongPointer(1)) {
      int status = CpuOps.g4_stream_create(threads, isa, handle);
      if (status != CpuOps.G4_OK) {
        throw new BackendException("the CPU back end could not start " + threads + " threads: " + cause(status));
      }
      return new CpuBackend(handle.get(), threads);
    }
  }

  private static synchronized void loadLibrary() {
    if (loadFailure == null) {
      try {
        CpuOps.g4_free(0, 0);
        return;
      } catch (LinkageError e) {
        loadFailure = e;
      }
    }
    throw new BackendException("the CPU kernels could not be loaded for " + System.getProperty("os.name") + " "
        + System.getProperty("os.arch") + " (they are in the artifact grpo4j-engine with classifier linux-x86_64): "
        + loadFailure.getMessage(), loadFailure);
  }

  /** The instruction set in use. */
  public Isa isa() {
    return isa;
  }

  public int threads() {
    return threads;
  }

  @Override
  public String description() {
    return "CPU, " + isa.title + ", " + threads + (threads == 1 ? " thread" : " threads");
  }

  @Override
  public void close() {
    if (stream != 0) {
      CpuOps.g4_stream_destroy(stream);
      stream = 0;
      settings.close();
    }
  }

  // ---- memory ----

  @Override
  public Tensor allocate(DType dtype, Layout layout, long... shape) {
    long bytes = sizeOf(dtype, layout, shape);
    stream();
    long address = CpuOps.g4_alloc(bytes);
    if (address == 0) {
      throw new BackendException("out of memory: " + dtype + Arrays.toString(shape) + " needs " + bytes + " bytes, "
          + allocatedBytes() + " are allocated so far; use a smaller model, micro-batch or KV cache, or BF16 storage");
    }
    allocatedBytes.addAndGet(bytes);
    return new Tensor(dtype, layout, shape, DeviceKind.CPU.storedElements(layout, shape), address, () -> {
      CpuOps.g4_free(address, bytes);
      allocatedBytes.addAndGet(-bytes);
    });
  }

  @Override
  public long sizeOf(DType dtype, Layout layout, long... shape) {
    return DeviceKind.CPU.bytesOf(dtype, layout, shape);
  }

  @Override
  public long allocatedBytes() {
    return allocatedBytes.get();
  }

  /** Memory like any other: the device is the host. */
  @Override
  public Tensor allocateHost(Layout layout, long... shape) {
    return allocate(DType.F32, layout, shape);
  }

  @Override
  public long allocatedHostBytes() {
    return 0;
  }

  @Override
  public void zero(Tensor dst) {
    check(CpuOps.g4_fill_zero(stream(), dst.address(), dst.bytes()), "zero", dst);
  }

  @Override
  public void copy(Tensor dst, Tensor src) {
    OpChecks.copy(dst, src);
    check(CpuOps.g4_copy(stream(), dst.address(), src.address(), src.bytes()), "copy", dst, src);
  }

  @Override
  public void upload(Tensor dst, float[] src, int offset) {
    OpChecks.array("upload", dst, DType.F32, src.length, offset);
    HostMemory.put(dst.address(), src, offset, (int) dst.elements());
  }

  @Override
  public void upload(Tensor dst, int[] src, int offset) {
    OpChecks.array("upload", dst, DType.I32, src.length, offset);
    HostMemory.put(dst.address(), src, offset, (int) dst.elements());
  }

  @Override
  public void download(Tensor src, float[] dst, int offset) {
    OpChecks.array("download", src, DType.F32, dst.length, offset);
    HostMemory.get(src.address(), dst, offset, (int) src.elements());
  }

  @Override
  public void download(Tensor src, int[] dst, int offset) {
    OpChecks.array("download", src, DType.I32, dst.length, offset);
    HostMemory.get(src.address(), dst, offset, (int) src.elements());
  }

  @Override
  public void download(Tensor src, double[] dst, int offset) {
    OpChecks.array("download", src, DType.F64, dst.length, offset);
    HostMemory.get(src.address(), dst, offset, (int) src.elements());
  }

  @Override
  public void upload(Tensor dst, long offset, ByteBuffer src) {
    OpChecks.bytes("upload", dst, offset, src);
    check(CpuOps.g4_copy(stream(), dst.address() + offset, HostMemory.addressOf(src), src.remaining()), "upload", dst);
    src.position(src.limit());
  }

  @Override
  public void download(Tensor src, long offset, ByteBuffer dst) {
    OpChecks.bytes("download", src, offset, dst);
    if (dst.isReadOnly()) {
      throw new IllegalArgumentException("download: the buffer is read-only");
    }
    check(CpuOps.g4_copy(stream(), HostMemory.addressOf(dst), src.address() + offset, dst.remaining()), "download", src);
    dst.position(dst.limit());
  }

  // ---- conversions ----

  @Override
  public void cast(Tensor dst, Tensor src) {
    OpChecks.cast(dst, src);
    check(CpuOps.g4_cast(stream(), dst.address(), dst.dtype().code(), src.address(), src.dtype().code(), src.elements()),
        "cast", dst, src);
  }

  @Override
  public void add(Tensor dst, Tensor src) {
    OpChecks.add(dst, src);
    check(CpuOps.g4_add(stream(), dst.address(), src.address(), dst.storedElements(), dst.dtype().code()), "add", dst, src);
  }

  @Override
  public void packRows(Tensor packed, long row0, Tensor src) {
    OpChecks.packRows(packed, row0, src);
    check(CpuOps.g4_pack_rows(stream(), packed.address(), packed.dtype().code(), src.address(), src.dtype().code(), row0,
        src.rows(), packed.rows(), packed.columns()), "packRows", packed, src);
  }

  @Override
  public void unpackRows(Tensor dst, Tensor packed, long row0) {
    OpChecks.unpackRows(dst, packed, row0);
    check(CpuOps.g4_unpack_rows(stream(), dst.address(), dst.dtype().code(), packed.address(), packed.dtype().code(), row0,
        dst.rows(), packed.rows(), packed.columns()), "unpackRows", dst, packed);
  }

  @Override
  public void castPacked(Tensor dst, Tensor masterF32) {
    OpChecks.castPacked(dst, masterF32);
    int status = dst.dtype() == DType.F32
        ? CpuOps.g4_copy(stream(), dst.address(), masterF32.address(), dst.bytes())
        : CpuOps.g4_cast_packed(stream(), dst.address(), masterF32.address(), dst.rows(), dst.columns());
    check(status, "castPacked", dst, masterF32);
  }

  // ---- linear ----

  @Override
  public void linear(Tensor y, Tensor x, Tensor w, Tensor bias, boolean accumulate) {
    OpChecks.linear(y, x, w, bias);
    check(CpuOps.g4_linear(stream(), y.address(), y.dtype().code(), x.address(), w.address(), addressOrNull(bias), x.rows(),
        w.rows(), w.columns(), flag(accumulate), x.dtype().code()), "linear", y, x, w, bias);
  }

  @Override
  public void linearBackwardInput(Tensor dx, Tensor dy, Tensor w, boolean accumulate) {
    OpChecks.linearBackwardInput(dx, dy, w);
    check(CpuOps.g4_linear_backward_input(stream(), dx.address(), dy.address(), dy.dtype().code(), w.address(), dx.rows(),
        w.rows(), w.columns(), flag(accumulate), dx.dtype().code()), "linearBackwardInput", dx, dy, w);
  }

  @Override
  public void linearBackwardWeight(Tensor dw, Tensor dbias, Tensor dy, Tensor x) {
    OpChecks.linearBackwardWeight(dw, dbias, dy, x);
    check(CpuOps.g4_linear_backward_weight(stream(), dw.address(), addressOrNull(dbias), dy.address(), dy.dtype().code(),
        x.address(), x.rows(), dw.rows(), dw.columns(), x.dtype().code()), "linearBackwardWeight", dw, dbias, dy, x);
  }

  // ---- embedding, norm, rotary embeddings ----

  @Override
  public void embedding(Tensor y, Tensor w, Tensor ids) {
    OpChecks.embedding(y, w, ids);
    check(CpuOps.g4_embedding(stream(), y.address(), w.address(), ids.address(), y.rows(), w.rows(), w.columns(),
        y.dtype().code()), "embedding", y, w, ids);
  }

  @Override
  public void embeddingBackward(Tensor dw, Tensor dy, Tensor ids) {
    OpChecks.embeddingBackward(dw, dy, ids);
    check(CpuOps.g4_embedding_backward(stream(), dw.address(), dy.address(), ids.address(), dy.rows(), dw.rows(),
        dw.columns(), dy.dtype().code()), "embeddingBackward", dw, dy, ids);
  }

  @Override
  public void rmsNorm(Tensor y, Tensor x, Tensor w, float eps) {
    OpChecks.rmsNorm(y, x, w, eps);
    check(CpuOps.g4_rmsnorm(stream(), y.address(), x.address(), w.address(), x.rows(), x.columns(), eps, x.dtype().code()),
        "rmsNorm", y, x, w);
  }

  @Override
  public void addRmsNorm(Tensor y, Tensor x, Tensor delta, Tensor w, float eps) {
    OpChecks.addRmsNorm(y, x, delta, w, eps);
    check(CpuOps.g4_add_rmsnorm(stream(), y.address(), x.address(), delta.address(), w.address(), x.rows(), x.columns(), eps,
        x.dtype().code()), "addRmsNorm", y, x, delta, w);
  }

  @Override
  public void rmsNormBackward(Tensor dx, Tensor dw, Tensor dy, Tensor x, Tensor w, float eps, boolean accumulate) {
    OpChecks.rmsNormBackward(dx, dw, dy, x, w, eps);
    check(CpuOps.g4_rmsnorm_backward(stream(), dx.address(), dw.address(), dy.address(), x.address(), w.address(), 0L,
        x.rows(), x.columns(), eps, flag(accumulate), x.dtype().code()), "rmsNormBackward", dx, dw, dy, x, w);
  }

  @Override
  public void rope(Tensor x, int firstColumn, int heads, Tensor cosSin, Tensor positions, boolean inverse) {
    OpChecks.rope(x, firstColumn, heads, cosSin, positions);
    check(CpuOps.g4_rope(stream(), column(x, firstColumn), cosSin.address(), positions.address(), x.rows(), heads,
        cosSin.columns(), x.columns(), flag(inverse), x.dtype().code()), "rope", x, cosSin, positions);
  }

  // ---- attention ----

  @Override
  public void attention(Tensor o, Tensor lse, Tensor qkv, AttentionShape shape, Segments segments) {
    OpChecks.attention(o, lse, qkv, shape, segments);
    check(CpuOps.g4_attention(stream(), o.address(), addressOrNull(lse), qkv.address(), column(qkv, shape.kColumn()),
        column(qkv, shape.vColumn()), qkv.columns(), qkv.columns(), segments.cuSeqlens().address(),
        addressOrNull(segments.parents()), segments.cuSeqlens().elements() - 1, segments.maxSeqlen(), shape.heads(),
        shape.kvHeads(), shape.headDim(), qkv.dtype().code()), "attention", o, lse, qkv, segments.cuSeqlens());
  }

  @Override
  public void attentionBackward(
      Tensor dqkv, Tensor dO, Tensor o, Tensor lse, Tensor qkv, AttentionShape shape, Segments segments, Tensor workspace) {
    OpChecks.attentionBackward(dqkv, dO, o, lse, qkv, shape, segments, workspace);
    int k = shape.kColumn();
    int v = shape.vColumn();
    check(CpuOps.g4_attention_backward(stream(), dqkv.address(), column(dqkv, k), column(dqkv, v), dO.address(), o.address(),
        lse.address(), qkv.address(), column(qkv, k), column(qkv, v), qkv.columns(), qkv.columns(),
        segments.cuSeqlens().address(), addressOrNull(segments.parents()), addressOrNull(workspace),
        addressOrNull(segments.workspaceRows()), segments.cuSeqlens().elements() - 1, segments.maxSeqlen(), shape.heads(),
        shape.kvHeads(), shape.headDim(), qkv.dtype().code()), "attentionBackward", dqkv, dO, o, lse, qkv, segments.cuSeqlens());
  }

  @Override
  public Tensor allocateKvCache(DType dtype, AttentionShape shape, int blocks) {
    OpChecks.allocateKvCache(dtype, shape, blocks);
    return allocate(dtype, Layout.ROWS, blocks, shape.kvHeads(), shape.headDim(), KV_BLOCK);
  }

  @Override
  public void kvAppend(Tensor kCache, Tensor vCache, Tensor qkv, AttentionShape shape, Tensor slots) {
    OpChecks.kvAppend(kCache, vCache, qkv, shape, slots);
    check(CpuOps.g4_kv_append(stream(), kCache.address(), vCache.address(), column(qkv, shape.kColumn()),
        column(qkv, shape.vColumn()), qkv.columns(), slots.address(), qkv.rows(), shape.kvHeads(), shape.headDim(),
        qkv.dtype().code()), "kvAppend", kCache, vCache, qkv, slots);
  }

  @Override
  public void kvCopyBlocks(Tensor cache, int[] from, int[] to) {
    OpChecks.kvCopyBlocks(cache, from, to);
    long blockBytes = cache.columns() * cache.dtype().bytes();
    for (int i = 0; i < from.length; i++) {
      check(CpuOps.g4_copy(stream(), cache.address() + to[i] * blockBytes, cache.address() + from[i] * blockBytes, blockBytes),
          "kvCopyBlocks", cache);
    }
  }

  @Override
  public void attentionPaged(
      Tensor o, Tensor qkv, AttentionShape shape, Tensor kCache, Tensor vCache, Tensor blockTable, Tensor cuQ, Tensor kvLens) {
    OpChecks.attentionPaged(o, qkv, shape, kCache, vCache, blockTable, cuQ, kvLens);
    check(CpuOps.g4_attention_paged(stream(), o.address(), qkv.address(), qkv.columns(), kCache.address(), vCache.address(),
        blockTable.address(), blockTable.columns(), cuQ.address(), kvLens.address(), kvLens.elements(), shape.heads(),
        shape.kvHeads(), shape.headDim(), qkv.dtype().code()), "attentionPaged", o, qkv, kCache, vCache, blockTable, cuQ, kvLens);
  }

  // ---- SwiGLU ----

  @Override
  public void swiglu(Tensor y, Tensor gateUp) {
    OpChecks.swiglu(y, gateUp);
    check(CpuOps.g4_swiglu(stream(), y.address(), gateUp.address(), y.rows(), y.columns(), y.dtype().code()), "swiglu", y, gateUp);
  }

  @Override
  public void swigluBackward(Tensor dGateUp, Tensor y, Tensor dy, Tensor gateUp) {
    OpChecks.swigluBackward(dGateUp, y, dy, gateUp);
    check(CpuOps.g4_swiglu_backward(stream(), dGateUp.address(), y.address(), dy.address(), gateUp.address(), dy.rows(), dy.columns(),
        dy.dtype().code()), "swigluBackward", dGateUp, y, dy, gateUp);
  }

  // ---- log-probabilities, loss, sampling ----

  @Override
  public void logprob(Tensor logprob, Tensor entropy, Tensor lse, Tensor logits, Tensor targets, float invTemperature) {
    OpChecks.logprob(logprob, entropy, lse, logits, targets, invTemperature);
    check(CpuOps.g4_logprob(stream(), addressOrNull(logprob), addressOrNull(entropy), addressOrNull(lse), logits.address(),
        targets.address(), logits.rows(), logits.columns(), invTemperature), "logprob", logits, targets);
  }

  @Override
  public void logprobBackward(Tensor logits, Tensor dLogprob, Tensor dEntropy, Tensor targets, float invTemperature) {
    OpChecks.logprobBackward(logits, dLogprob, dEntropy, targets, invTemperature);
    check(CpuOps.g4_logprob_backward(stream(), logits.address(), dLogprob.address(), addressOrNull(dEntropy), targets.address(),
        logits.rows(), logits.columns(), invTemperature), "logprobBackward", logits, targets);
  }

  @Override
  public void kl(Tensor kl, Tensor logits, Tensor refLogits, float invTemperature) {
    OpChecks.kl("kl", kl, logits, refLogits, invTemperature);
    check(CpuOps.g4_kl(stream(), kl.address(), logits.address(), refLogits.address(), logits.rows(), logits.columns(), invTemperature), "kl", logits, refLogits);
  }

  @Override
  public void klBackward(Tensor refLogits, Tensor logits, Tensor dKl, float invTemperature) {
    OpChecks.kl("klBackward", dKl, logits, refLogits, invTemperature);
    check(CpuOps.g4_kl_backward(stream(), refLogits.address(), logits.address(), dKl.address(), logits.rows(), logits.columns(), invTemperature),
        "klBackward", refLogits, logits);
  }

  @Override
  public void policyLoss(
      Tensor logprob, Tensor entropy, Tensor dLogprob, Tensor logits, Tensor targets, TokenInputs inputs, float invTemperature, TokenLoss loss) {
    OpChecks.policyLoss(logprob, entropy, dLogprob, logits, targets, inputs, invTemperature, loss);
    check(CpuOps.g4_policy_loss(stream(), logprob.address(), entropy.address(), dLogprob.address(), logits.address(),
        targets.address(), inputs.weight().address(), addressOrNull(inputs.advantage()), addressOrNull(inputs.oldLogprob()),
        addressOrNull(inputs.refLogprob()), addressOrNull(inputs.clipLow()), addressOrNull(inputs.clipHigh()), logits.rows(),
        logits.columns(), invTemperature, settings.of(loss)), "policyLoss", logits, targets);
  }

  @Override
  public void sample(
      Tensor token, Tensor logprob, Tensor entropy, Tensor logits, Tensor counters, Tensor history, Tensor historyStart, SamplingSettings sampling) {
    OpChecks.sample(token, logprob, entropy, logits, counters, history, historyStart, sampling);
    check(CpuOps.g4_sample(stream(), token.address(), logprob.address(), entropy.address(), logits.address(),
        counters.address(), addressOrNull(history), addressOrNull(historyStart), logits.rows(), logits.columns(),
        settings.of(sampling)), "sample", logits, counters);
  }

  @Override
  public void inputTokens(Tensor ids, Tensor sampled, Tensor from, Tensor history, Tensor historyAt) {
    OpChecks.inputTokens(ids, sampled, from, history, historyAt);
    check(CpuOps.g4_input_tokens(stream(), ids.address(), sampled.address(), from.address(), addressOrNull(history),
        addressOrNull(historyAt), ids.elements()), "inputTokens", ids, sampled, from);
  }

  @Override
  public void filteredProbs(Tensor probs, Tensor logits, Tensor history, Tensor historyStart, SamplingSettings sampling) {
    OpChecks.filteredProbs(probs, logits, history, historyStart, sampling);
    check(CpuOps.g4_filtered_probs(stream(), probs.address(), logits.address(), addressOrNull(history),
        addressOrNull(historyStart), logits.rows(), logits.columns(), settings.of(sampling)), "filteredProbs", probs, logits);
  }

  // ---- optimizer ----

  @Override
  public void sumSquares(Tensor out, Tensor grad) {
    OpChecks.sumSquares(out, grad);
    check(CpuOps.g4_sum_squares(stream(), out.address(), grad.address(), 0L, grad.storedElements()), "sumSquares", out, grad);
  }

  @Override
  public void adamw(Tensor weight, Tensor master, Tensor m, Tensor v, Tensor grad, AdamWSettings adamw) {
    OpChecks.adamw(weight, master, m, v, grad, adamw);
    check(CpuOps.g4_adamw(stream(), weight.address(), weight.dtype().code(), flag(weight.layout() == Layout.PACKED),
        master.address(), m.address(), v.address(), grad.address(), master.storedElements(), settings.of(adamw)),
        "adamw", weight, master, m, v, grad);
  }

  /** Nothing needs to be streamed from host to host: a step is {@link #adamw} of one parameter after the other. */
  @Override
  public StreamedAdamW streamedAdamW(List<AdamWState> states, Updater updater, int bucket) {
    OpChecks.streamedAdamW(states, bucket);
    return new StreamedAdamW() {
      @Override
      public void prefetch() {}

      @Override
      public void step(List<Tensor> grads, List<AdamWSettings> settings) {
        OpChecks.streamedStep(states, grads, settings);
        for (int i = 0; i < states.size(); i++) {
          AdamWState each = states.get(i);
          adamw(each.weight(), each.master(), each.m(), each.v(), grads.get(i), settings.get(i));
        }
      }

      @Override
      public void close() {}
    };
  }

  // ---- work that is done again and again ----

  /** A call returns when its work is done, so there is nothing to wait for. */
  @Override
  public void synchronize() {}

  /** A call costs next to nothing here, so nothing is recorded. */
  @Override
  public Replay replay() {
    return new Replay() {
      @Override
      public void run(Object key, Runnable work) {
        work.run();
      }

      @Override
      public int runsAhead() {
        return 0;
      }

      @Override
      public int paddedRows(int rows) {
        return rows;
      }

      @Override
      public void close() {}
    };
  }

  @Override
  public Readback readback(int results, int bytes) {
    return new HostReadback(results, bytes);
  }

  // ---- calls ----

  long stream() {
    if (stream == 0) {
      throw new IllegalStateException("the CPU back end is used after it was closed");
    }
    return stream;
  }

  private static long addressOrNull(Tensor tensor) {
    return tensor == null ? 0 : tensor.address();
  }

  private static long column(Tensor tensor, int column) {
    return tensor.address() + (long) column * tensor.dtype().bytes();
  }

  private static int flag(boolean value) {
    return value ? 1 : 0;
  }

  static void check(int status, String op, Tensor... operands) {
    if (status != CpuOps.G4_OK) {
      throw new BackendException(op + " of " + Arrays.toString(operands) + " failed: " + cause(status));
    }
  }

  private static String cause(int status) {
    return switch (status) {
      case CpuOps.G4_UNSUPPORTED -> "the kernels of the CPU do not support these shapes or types (they compute with F32 and BF16)";
      case CpuOps.G4_OUT_OF_MEMORY -> "the machine has no memory left";
      default -> "internal error, status " + status;
    };
  }
}
