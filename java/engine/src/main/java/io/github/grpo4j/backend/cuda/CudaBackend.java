package io.github.grpo4j.backend.cuda;

import io.github.grpo4j.backend.AdamWSettings;
import io.github.grpo4j.backend.AdamWState;
import io.github.grpo4j.backend.AttentionKernels;
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
import io.github.grpo4j.backend.cpu.KernelSettings;
import io.github.grpo4j.backend.cuda.cudnn.CudnnAttention;
import io.github.grpo4j.backend.cuda.runtime.CudaDevice;
import io.github.grpo4j.backend.cuda.runtime.CudaDeviceInfo;
import io.github.grpo4j.backend.cuda.runtime.CudaGraphs;
import io.github.grpo4j.backend.cuda.runtime.CudaReadback;
import io.github.grpo4j.backend.kernel.HostMemory;
import io.github.grpo4j.backend.kernel.OpChecks;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/**
 * The op catalogue on the first NVIDIA GPU: own kernels, matrix products by cuBLASLt. Calls queue work on one stream and return;
 * {@link #download} waits, and so does freeing a tensor.
 *
 * <p>Weight matrices are row-major here: {@link Layout#PACKED} is what cuBLASLt reads, without padding.
 *
 * <p>Same inputs give the same bits, run after run. Whether the rows of a matrix product have the same bits in another batch is
 * cuBLASLt's affair, so decode and training agree to rounding only.
 */
public final class CudaBackend implements Backend {
  /** Shared prompts of 4,000 tokens at 256 rows of a 0.5B model; beyond that, blocks are read more than once. */
  private static final long MAX_PAGED_SCRATCH = 64L << 20;

  private final CudaDeviceInfo info;
  private final CudaDevice device;
  private final CudaGemm gemm;
  /** Null: the own kernels do it all. */
  private final CudnnAttention cudnn;
  private final KernelSettings settings = new KernelSettings();
  private final AtomicLong allocatedBytes = new AtomicLong();
  private final AtomicLong allocatedHostBytes = new AtomicLong();
  private final int hostThreads;
  private boolean closed;

  private CudaBackend(CudaDeviceInfo info, int hostThreads, AttentionKernels attention) {
    this.info = info;
    this.hostThreads = hostThreads;
    this.device = new CudaDevice();
    this.gemm = new CudaGemm(device);
    this.cudnn = attention == AttentionKernels.CUDNN ? openCudnn() : null;
  }

  private CudnnAttention openCudnn() {
    try {
      return new CudnnAttention(device, info, this::sequenceSlots);
    } catch (BackendException e) {
      close();
      throw e;
    }
  }

  private void sequenceSlots(long lengths, long offsets, long offsetsLength, Tensor cuSeqlens, long slots, AttentionShape shape) {
    check(CudaOps.g4_cuda_sequence_slots(stream(), lengths, offsets, offsetsLength, cuSeqlens.address(), cuSeqlens.elements() - 1, slots,
        shape.qkvColumns(), shape.outColumns(), shape.heads()), "sequenceSlots", cuSeqlens);
  }

  /** With as many threads as the host has cores, for what is done there, and the own attention. */
  public static CudaBackend create() {
    return create(Runtime.getRuntime().availableProcessors(), AttentionKernels.OWN);
  }

  /**
   * @param hostThreads of work that is left to the host ({@link Updater#HOST})
   * @throws BackendException with the one thing that is missing, if this machine has no usable GPU, or not the attention asked for
   */
  public static CudaBackend create(int hostThreads, AttentionKernels attention) {
    CudaInstallation installation = CudaInstallation.find();
    if (!installation.usable()) {
      throw new BackendException("the CUDA back end cannot be used: " + installation.problem().get()
          + " (grpo4j doctor prints all that was found)");
    }
    return new CudaBackend(installation.device().get(), hostThreads, attention);
  }

  @Override
  public String description() {
    return String.format(Locale.ROOT, "CUDA, %s, compute capability %s, %.0f GiB%s", info.name(), info.capabilityText(),
        info.memoryBytes() / (double) (1L << 30), cudnn == null ? "" : ", attention by cuDNN " + cudnn.version());
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      if (cudnn != null) {
        cudnn.close();
      }
      gemm.close();
      device.close();
      settings.close();
    }
  }

  // ---- memory ----

  @Override
  public Tensor allocate(DType dtype, Layout layout, long... shape) {
    long bytes = sizeOf(dtype, layout, shape);
    long address = open().allocate(bytes);
    if (address == 0) {
      throw new BackendException("out of GPU memory: " + dtype + Arrays.toString(shape) + " needs " + bytes + " bytes, "
          + allocatedBytes() + " are allocated so far; use a smaller model, micro-batch or KV cache, or BF16 storage");
    }
    allocatedBytes.addAndGet(bytes);
    return new Tensor(dtype, layout, shape, DeviceKind.CUDA.storedElements(layout, shape), address, () -> {
      device.free(address);
      allocatedBytes.addAndGet(-bytes);
    });
  }

  @Override
  public long sizeOf(DType dtype, Layout layout, long... shape) {
    return DeviceKind.CUDA.bytesOf(dtype, layout, shape);
  }

  @Override
  public long allocatedBytes() {
    return allocatedBytes.get();
  }

  @Override
  public Tensor allocateHost(Layout layout, long... shape) {
    long bytes = sizeOf(DType.F32, layout, shape);
    open();
    long address = CudaDevice.allocatePinned(bytes);
    if (address == 0) {
      throw new BackendException("out of page-locked host memory: F32" + Arrays.toString(shape) + " needs " + bytes + " bytes, "
          + allocatedHostBytes() + " are allocated so far; use optimizer.placement=device, a smaller model, or a machine (or container) with more memory");
    }
    allocatedHostBytes.addAndGet(bytes);
    return new Tensor(DType.F32, layout, Tensor.Place.HOST, shape, DeviceKind.CUDA.storedElements(layout, shape), address, () -> {
      device.freePinned(address);
      allocatedHostBytes.addAndGet(-bytes);
    });
  }

  @Override
  public long allocatedHostBytes() {
    return allocatedHostBytes.get();
  }

  @Override
  public void zero(Tensor dst) {
    open().zero(dst.address(), dst.bytes());
  }

  @Override
  public void copy(Tensor dst, Tensor src) {
    OpChecks.copy(dst, src);
    if (isOnHost(dst) || isOnHost(src)) {
      open().transfer(dst.anyAddress(), src.anyAddress(), src.bytes());
    } else {
      open().copy(dst.address(), src.address(), src.bytes());
    }
  }

  @Override
  public void upload(Tensor dst, float[] src, int offset) {
    OpChecks.array("upload", dst, DType.F32, src.length, offset);
    open().staging().upload(dst.address(), src, offset, (int) dst.elements());
  }

  @Override
  public void upload(Tensor dst, int[] src, int offset) {
    OpChecks.array("upload", dst, DType.I32, src.length, offset);
    open().staging().upload(dst.address(), src, offset, (int) dst.elements());
  }

  @Override
  public void download(Tensor src, float[] dst, int offset) {
    OpChecks.array("download", src, DType.F32, dst.length, offset);
    open().staging().download(src.address(), dst, offset, (int) src.elements());
  }

  @Override
  public void download(Tensor src, int[] dst, int offset) {
    OpChecks.array("download", src, DType.I32, dst.length, offset);
    open().staging().download(src.address(), dst, offset, (int) src.elements());
  }

  @Override
  public void download(Tensor src, double[] dst, int offset) {
    OpChecks.array("download", src, DType.F64, dst.length, offset);
    open().staging().download(src.address(), dst, offset, (int) src.elements());
  }

  @Override
  public void upload(Tensor dst, long offset, ByteBuffer src) {
    OpChecks.bytes("upload", dst, offset, src);
    open().upload(dst.address() + offset, HostMemory.addressOf(src), src.remaining());
    src.position(src.limit());
  }

  @Override
  public void download(Tensor src, long offset, ByteBuffer dst) {
    OpChecks.bytes("download", src, offset, dst);
    if (dst.isReadOnly()) {
      throw new IllegalArgumentException("download: the buffer is read-only");
    }
    open().download(HostMemory.addressOf(dst), src.address() + offset, dst.remaining());
    dst.position(dst.limit());
  }

  // ---- conversions ----

  @Override
  public void cast(Tensor dst, Tensor src) {
    OpChecks.cast(dst, src);
    check(CudaOps.g4_cast(stream(), dst.address(), dst.dtype().code(), src.address(), src.dtype().code(), src.elements()),
        "cast", dst, src);
  }

  @Override
  public void add(Tensor dst, Tensor src) {
    OpChecks.add(dst, src);
    check(CudaOps.g4_add(stream(), dst.address(), src.address(), dst.elements(), dst.dtype().code()), "add", dst, src);
  }

  @Override
  public void packRows(Tensor packed, long row0, Tensor src) {
    OpChecks.packRows(packed, row0, src);
    if (isOnHost(packed)) {
      OpChecks.hostRows("packRows", "src", src);
      open().transfer(row(packed, row0), src.address(), src.bytes());
      return;
    }
    check(CudaOps.g4_cast(stream(), row(packed, row0), packed.dtype().code(), src.address(), src.dtype().code(), src.elements()),
        "packRows", packed, src);
  }

  @Override
  public void unpackRows(Tensor dst, Tensor packed, long row0) {
    OpChecks.unpackRows(dst, packed, row0);
    if (isOnHost(packed)) {
      OpChecks.hostRows("unpackRows", "dst", dst);
      open().transfer(dst.address(), row(packed, row0), dst.bytes());
      return;
    }
    check(CudaOps.g4_cast(stream(), dst.address(), dst.dtype().code(), row(packed, row0), packed.dtype().code(), dst.elements()),
        "unpackRows", dst, packed);
  }

  @Override
  public void castPacked(Tensor dst, Tensor masterF32) {
    OpChecks.castPacked(dst, masterF32);
    check(CudaOps.g4_cast(stream(), dst.address(), dst.dtype().code(), masterF32.address(), masterF32.dtype().code(),
        dst.elements()), "castPacked", dst, masterF32);
  }

  // ---- linear ----

  @Override
  public void linear(Tensor y, Tensor x, Tensor w, Tensor bias, boolean accumulate) {
    OpChecks.linear(y, x, w, bias);
    open();
    gemm.linear(y.address(), type(y.dtype()), x.address(), w.address(), bias == null ? 0 : inType(bias, y.dtype()), type(x.dtype()),
        x.rows(), w.rows(), w.columns(), accumulate);
  }

  @Override
  public void linearBackwardInput(Tensor dx, Tensor dy, Tensor w, boolean accumulate) {
    OpChecks.linearBackwardInput(dx, dy, w);
    gemm.backwardInput(dx.address(), inType(dy, dx.dtype()), w.address(), type(dx.dtype()), dx.rows(), w.rows(), w.columns(), accumulate);
  }

  @Override
  public void linearBackwardWeight(Tensor dw, Tensor dbias, Tensor dy, Tensor x) {
    OpChecks.linearBackwardWeight(dw, dbias, dy, x);
    gemm.backwardWeight(dw.address(), inType(dy, x.dtype()), x.address(), type(x.dtype()), x.rows(), dw.rows(), dw.columns());
    if (dbias != null) {
      long workspace = device.scratch(CudaOps.g4_cuda_column_sums_workspace(dy.rows(), dy.columns()));
      check(CudaOps.g4_cuda_column_sums(stream(), dbias.address(), dy.address(), workspace, dy.rows(), dy.columns(),
          dy.dtype().code()), "linearBackwardWeight", dbias, dy);
    }
  }

  /**
   * The address of the tensor, or of a copy in another type: cuBLASLt multiplies matrices of one type, and adds a bias of the
   * result's.
   */
  private long inType(Tensor tensor, DType dtype) {
    open();
    if (tensor.dtype() == dtype) {
      return tensor.address();
    }
    long copy = device.scratch(tensor.elements() * dtype.bytes());
    check(CudaOps.g4_cast(stream(), copy, dtype.code(), tensor.address(), tensor.dtype().code(), tensor.elements()), "cast", tensor);
    return copy;
  }

  private static CudaGemm.Type type(DType dtype) {
    return switch (dtype) {
      case F32 -> CudaGemm.Type.F32;
      case F16 -> CudaGemm.Type.F16;
      case BF16 -> CudaGemm.Type.BF16;
      default -> throw new IllegalArgumentException("matrices of " + dtype + " are not multiplied");
    };
  }

  // ---- embedding, norm, rotary embeddings ----

  @Override
  public void embedding(Tensor y, Tensor w, Tensor ids) {
    OpChecks.embedding(y, w, ids);
    check(CudaOps.g4_embedding(stream(), y.address(), w.address(), ids.address(), y.rows(), w.rows(), w.columns(),
        y.dtype().code()), "embedding", y, w, ids);
  }

  @Override
  public void embeddingBackward(Tensor dw, Tensor dy, Tensor ids) {
    OpChecks.embeddingBackward(dw, dy, ids);
    check(CudaOps.g4_embedding_backward(stream(), dw.address(), dy.address(), ids.address(), dy.rows(), dw.rows(),
        dw.columns(), dy.dtype().code()), "embeddingBackward", dw, dy, ids);
  }

  @Override
  public void rmsNorm(Tensor y, Tensor x, Tensor w, float eps) {
    OpChecks.rmsNorm(y, x, w, eps);
    check(CudaOps.g4_rmsnorm(stream(), y.address(), x.address(), w.address(), x.rows(), x.columns(), eps, x.dtype().code()),
        "rmsNorm", y, x, w);
  }

  @Override
  public void addRmsNorm(Tensor y, Tensor x, Tensor delta, Tensor w, float eps) {
    OpChecks.addRmsNorm(y, x, delta, w, eps);
    check(CudaOps.g4_add_rmsnorm(stream(), y.address(), x.address(), delta.address(), w.address(), x.rows(), x.columns(), eps,
        x.dtype().code()), "addRmsNorm", y, x, delta, w);
  }

  @Override
  public void rmsNormBackward(Tensor dx, Tensor dw, Tensor dy, Tensor x, Tensor w, float eps, boolean accumulate) {
    OpChecks.rmsNormBackward(dx, dw, dy, x, w, eps);
    long workspace = open().scratch(CudaOps.g4_rmsnorm_backward_workspace(x.rows(), x.columns()));
    check(CudaOps.g4_rmsnorm_backward(stream(), dx.address(), dw.address(), dy.address(), x.address(), w.address(), workspace,
        x.rows(), x.columns(), eps, flag(accumulate), x.dtype().code()), "rmsNormBackward", dx, dw, dy, x, w);
  }

  @Override
  public void rope(Tensor x, int firstColumn, int heads, Tensor cosSin, Tensor positions, boolean inverse) {
    OpChecks.rope(x, firstColumn, heads, cosSin, positions);
    check(CudaOps.g4_rope(stream(), column(x, firstColumn), cosSin.address(), positions.address(), x.rows(), heads,
        cosSin.columns(), x.columns(), flag(inverse), x.dtype().code()), "rope", x, cosSin, positions);
  }

  // ---- attention ----

  @Override
  public void attention(Tensor o, Tensor lse, Tensor qkv, AttentionShape shape, Segments segments) {
    OpChecks.attention(o, lse, qkv, shape, segments);
    if (cudnn != null && CudnnAttention.takes(segments)) {
      open();
      cudnn.forward(o, lse, qkv, shape, segments);
      return;
    }
    check(CudaOps.g4_attention(stream(), o.address(), addressOrNull(lse), qkv.address(), column(qkv, shape.kColumn()),
        column(qkv, shape.vColumn()), qkv.columns(), qkv.columns(), segments.cuSeqlens().address(),
        addressOrNull(segments.parents()), segments.cuSeqlens().elements() - 1, segments.maxSeqlen(), shape.heads(),
        shape.kvHeads(), shape.headDim(), qkv.dtype().code()), "attention", o, lse, qkv, segments.cuSeqlens());
  }

  @Override
  public void attentionBackward(
      Tensor dqkv, Tensor dO, Tensor o, Tensor lse, Tensor qkv, AttentionShape shape, Segments segments, Tensor workspace) {
    OpChecks.attentionBackward(dqkv, dO, o, lse, qkv, shape, segments, workspace);
    if (cudnn != null && CudnnAttention.takes(segments)) {
      open();
      cudnn.backward(dqkv, dO, o, lse, qkv, shape, segments);
      return;
    }
    int k = shape.kColumn();
    int v = shape.vColumn();
    check(CudaOps.g4_attention_backward(stream(), dqkv.address(), column(dqkv, k), column(dqkv, v), dO.address(), o.address(),
        lse.address(), qkv.address(), column(qkv, k), column(qkv, v), qkv.columns(), qkv.columns(),
        segments.cuSeqlens().address(), addressOrNull(segments.parents()), addressOrNull(workspace),
        addressOrNull(segments.workspaceRows()), segments.cuSeqlens().elements() - 1, segments.maxSeqlen(), shape.heads(),
        shape.kvHeads(), shape.headDim(), qkv.dtype().code()), "attentionBackward", dqkv, dO, o, lse, qkv, segments.cuSeqlens());
  }

  @Override
  public Tensor allocateKvCache(DType dtype, AttentionShape shape, int blocks) {
    OpChecks.allocateKvCache(dtype, shape, blocks);
    return allocate(dtype, Layout.ROWS, blocks, shape.kvHeads(), KV_BLOCK, shape.headDim());
  }

  @Override
  public void kvAppend(Tensor kCache, Tensor vCache, Tensor qkv, AttentionShape shape, Tensor slots) {
    OpChecks.kvAppend(kCache, vCache, qkv, shape, slots);
    check(CudaOps.g4_kv_append(stream(), kCache.address(), vCache.address(), column(qkv, shape.kColumn()),
        column(qkv, shape.vColumn()), qkv.columns(), slots.address(), qkv.rows(), shape.kvHeads(), shape.headDim(),
        qkv.dtype().code()), "kvAppend", kCache, vCache, qkv, slots);
  }

  @Override
  public void kvCopyBlocks(Tensor cache, int[] from, int[] to) {
    OpChecks.kvCopyBlocks(cache, from, to);
    long blockBytes = cache.columns() * cache.dtype().bytes();
    for (int i = 0; i < from.length; i++) {
      open().copy(cache.address() + to[i] * blockBytes, cache.address() + from[i] * blockBytes, blockBytes);
    }
  }

  @Override
  public void attentionPaged(
      Tensor o, Tensor qkv, AttentionShape shape, Tensor kCache, Tensor vCache, Tensor blockTable, Tensor cuQ, Tensor kvLens) {
    OpChecks.attentionPaged(o, qkv, shape, kCache, vCache, blockTable, cuQ, kvLens);
    long scratchBytes = pagedScratch(qkv.rows(), shape, blockTable.columns());
    long scratch = open().scratch(scratchBytes);
    check(CudaOps.g4_cuda_attention_paged(stream(), o.address(), qkv.address(), qkv.columns(), kCache.address(), vCache.address(),
        blockTable.address(), blockTable.columns(), cuQ.address(), kvLens.address(), kvLens.elements(), qkv.rows(), shape.heads(),
        shape.kvHeads(), shape.headDim(), qkv.dtype().code(), scratch, scratchBytes),
        "attentionPaged", o, qkv, kCache, vCache, blockTable, cuQ, kvLens);
  }

  /** Room for partial results of all tiles of 64 positions, see {@code cuda_ops.h}, as far as that stays small. */
  private static long pagedScratch(long tokens, AttentionShape shape, long maxBlocks) {
    long tileBytes = tokens * shape.heads() * (shape.headDim() + 8) * Float.BYTES;
    return Math.min(MAX_PAGED_SCRATCH, tileBytes * ((maxBlocks * KV_BLOCK + 63) / 64));
  }

  // ---- SwiGLU ----

  @Override
  public void swiglu(Tensor y, Tensor gateUp) {
    OpChecks.swiglu(y, gateUp);
    check(CudaOps.g4_swiglu(stream(), y.address(), gateUp.address(), y.rows(), y.columns(), y.dtype().code()), "swiglu", y, gateUp);
  }

  @Override
  public void swigluBackward(Tensor dGateUp, Tensor y, Tensor dy, Tensor gateUp) {
    OpChecks.swigluBackward(dGateUp, y, dy, gateUp);
    check(CudaOps.g4_swiglu_backward(stream(), dGateUp.address(), y.address(), dy.address(), gateUp.address(), dy.rows(), dy.columns(),
        dy.dtype().code()), "swigluBackward", dGateUp, y, dy, gateUp);
  }

  // ---- log-probabilities, loss, sampling ----

  @Override
  public void logprob(Tensor logprob, Tensor entropy, Tensor lse, Tensor logits, Tensor targets, float invTemperature) {
    OpChecks.logprob(logprob, entropy, lse, logits, targets, invTemperature);
    check(CudaOps.g4_logprob(stream(), addressOrNull(logprob), addressOrNull(entropy), addressOrNull(lse), logits.address(),
        targets.address(), logits.rows(), logits.columns(), invTemperature), "logprob", logits, targets);
  }

  @Override
  public void logprobBackward(Tensor logits, Tensor dLogprob, Tensor dEntropy, Tensor targets, float invTemperature) {
    OpChecks.logprobBackward(logits, dLogprob, dEntropy, targets, invTemperature);
    check(CudaOps.g4_logprob_backward(stream(), logits.address(), dLogprob.address(), addressOrNull(dEntropy), targets.address(),
        logits.rows(), logits.columns(), invTemperature), "logprobBackward", logits, targets);
  }

  @Override
  public void kl(Tensor kl, Tensor logits, Tensor refLogits, float invTemperature) {
    OpChecks.kl("kl", kl, logits, refLogits, invTemperature);
    check(CudaOps.g4_kl(stream(), kl.address(), logits.address(), refLogits.address(), logits.rows(), logits.columns(), invTemperature), "kl", logits, refLogits);
  }

  @Override
  public void klBackward(Tensor refLogits, Tensor logits, Tensor dKl, float invTemperature) {
    OpChecks.kl("klBackward", dKl, logits, refLogits, invTemperature);
    check(CudaOps.g4_kl_backward(stream(), refLogits.address(), logits.address(), dKl.address(), logits.rows(), logits.columns(), invTemperature),
        "klBackward", refLogits, logits);
  }

  @Override
  public void policyLoss(
      Tensor logprob, Tensor entropy, Tensor dLogprob, Tensor logits, Tensor targets, TokenInputs inputs, float invTemperature, TokenLoss loss) {
    OpChecks.policyLoss(logprob, entropy, dLogprob, logits, targets, inputs, invTemperature, loss);
    check(CudaOps.g4_policy_loss(stream(), logprob.address(), entropy.address(), dLogprob.address(), logits.address(),
        targets.address(), inputs.weight().address(), addressOrNull(inputs.advantage()), addressOrNull(inputs.oldLogprob()),
        addressOrNull(inputs.refLogprob()), addressOrNull(inputs.clipLow()), addressOrNull(inputs.clipHigh()), logits.rows(),
        logits.columns(), invTemperature, settings.of(loss)), "policyLoss", logits, targets);
  }

  @Override
  public void sample(
      Tensor token, Tensor logprob, Tensor entropy, Tensor logits, Tensor counters, Tensor history, Tensor historyStart, SamplingSettings sampling) {
    OpChecks.sample(token, logprob, entropy, logits, counters, history, historyStart, sampling);
    check(CudaOps.g4_sample(stream(), token.address(), logprob.address(), entropy.address(), logits.address(),
        counters.address(), addressOrNull(history), addressOrNull(historyStart), logits.rows(), logits.columns(),
        settings.of(sampling)), "sample", logits, counters);
  }

  @Override
  public void inputTokens(Tensor ids, Tensor sampled, Tensor from, Tensor history, Tensor historyAt) {
    OpChecks.inputTokens(ids, sampled, from, history, historyAt);
    check(CudaOps.g4_input_tokens(stream(), ids.address(), sampled.address(), from.address(), addressOrNull(history),
        addressOrNull(historyAt), ids.elements()), "inputTokens", ids, sampled, from);
  }

  @Override
  public void filteredProbs(Tensor probs, Tensor logits, Tensor history, Tensor historyStart, SamplingSettings sampling) {
    OpChecks.filteredProbs(probs, logits, history, historyStart, sampling);
    check(CudaOps.g4_filtered_probs(stream(), probs.address(), logits.address(), addressOrNull(history),
        addressOrNull(historyStart), logits.rows(), logits.columns(), settings.of(sampling)), "filteredProbs", probs, logits);
  }

  // ---- optimizer ----

  @Override
  public void sumSquares(Tensor out, Tensor grad) {
    OpChecks.sumSquares(out, grad);
    long workspace = open().scratch(CudaOps.g4_sum_squares_workspace(grad.elements()));
    check(CudaOps.g4_sum_squares(stream(), out.address(), grad.address(), workspace, grad.elements()), "sumSquares", out, grad);
  }

  @Override
  public void adamw(Tensor weight, Tensor master, Tensor m, Tensor v, Tensor grad, AdamWSettings adamw) {
    OpChecks.adamw(weight, master, m, v, grad, adamw);
    check(CudaOps.g4_adamw(stream(), weight.address(), weight.dtype().code(), 0,
        master.address(), m.address(), v.address(), grad.address(), master.elements(), settings.of(adamw)),
        "adamw", weight, master, m, v, grad);
  }

  @Override
  public StreamedAdamW streamedAdamW(List<AdamWState> states, Updater updater, int bucket) {
    OpChecks.streamedAdamW(states, bucket);
    StreamedAdamW streamed = switch (updater) {
      case DEVICE -> new OffloadedAdamW(open(), states, bucket,
          two(() -> allocate(DType.F32, Layout.ROWS, OffloadedAdamW.stagingBytes(bucket) / Float.BYTES)), settings::of);
      case HOST -> new HostAdamW(open(), states, bucket, two(() -> allocateHost(Layout.ROWS, HostAdamW.stagingElements(bucket))), settings::of,
          hostThreads);
    };
    return new StreamedAdamW() {
      @Override
      public void prefetch() {
        open();
        streamed.prefetch();
      }

      @Override
      public void step(List<Tensor> grads, List<AdamWSettings> settings) {
        OpChecks.streamedStep(states, grads, settings);
        open();
        streamed.step(grads, settings);
      }

      @Override
      public void close() {
        streamed.close();
      }
    };
  }

  /** Both, or none if there is no memory for the second. */
  private static List<Tensor> two(Supplier<Tensor> allocation) {
    List<Tensor> tensors = new ArrayList<>();
    tensors.add(allocation.get());
    try {
      tensors.add(allocation.get());
    } catch (BackendException e) {
      tensors.get(0).close();
      throw e;
    }
    return tensors;
  }

  // ---- work that is done again and again ----

  /** CUDA graphs: one launch instead of some hundreds. */
  @Override
  public Replay replay() {
    return new CudaGraphs(open());
  }

  @Override
  public void synchronize() {
    open().synchronize();
  }

  @Override
  public Readback readback(int results, int bytes) {
    return new CudaReadback(open(), results, bytes);
  }

  // ---- calls ----

  private CudaDevice open() {
    if (closed) {
      throw new IllegalStateException("the CUDA back end is used after it was closed");
    }
    return device;
  }

  private long stream() {
    return open().streamAddress();
  }

  private static long addressOrNull(Tensor tensor) {
    return tensor == null ? 0 : tensor.address();
  }

  private static long column(Tensor tensor, int column) {
    return tensor.address() + (long) column * tensor.dtype().bytes();
  }

  private static boolean isOnHost(Tensor tensor) {
    return tensor.place() == Tensor.Place.HOST;
  }

  private static long row(Tensor tensor, long row) {
    return tensor.anyAddress() + row * tensor.columns() * tensor.dtype().bytes();
  }

  private static int flag(boolean value) {
    return value ? 1 : 0;
  }

  private static void check(int status, String op, Tensor... operands) {
    if (status != CudaOps.G4_OK) {
      throw new BackendException(op + " of " + Arrays.toString(operands) + " failed: " + cause(status));
    }
  }

  private static String cause(int status) {
    return switch (status) {
      case CudaOps.G4_UNSUPPORTED -> "the kernels do not support these shapes or types";
      case CudaOps.G4_OUT_OF_MEMORY -> "the GPU has no memory left";
      default -> CudaDevice.lastError();
    };
  }
}
