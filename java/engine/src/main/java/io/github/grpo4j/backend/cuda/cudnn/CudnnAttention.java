package io.github.grpo4j.backend.cuda.cudnn;

import io.github.grpo4j.backend.AttentionShape;
import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Segments;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.cuda.runtime.CudaDevice;
import io.github.grpo4j.backend.cuda.runtime.CudaDeviceInfo;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Causal attention of packed sequences by cuDNN, in place of the own kernels.
 *
 * <p>It takes BF16 or F16 storage, heads of a multiple of 8 up to 256 columns, and sequences that lie in one segment each. Forward
 * runs on compute capability 8.0 and newer; the deterministic backward pass on Hopper (9.0) only: elsewhere cuDNN adds up dQ
 * in an order that changes from run to run, or has no kernel at all.
 *
 * <p>A plan is compiled for a number of sequences and a longest one, so both are rounded up, to a power of two and to a multiple
 * of {@value #LENGTH_STEP}: batches that differ little share a plan, and compiling (about a second) soon ends.
 */
public final class CudnnAttention implements AutoCloseable {
  private static final int LENGTH_STEP = 128;
  private static final int LARGEST_HEAD = 256;
  private static final int HEAD_STEP = 8;
  private static final int MOST_PLANS = 64;
  private static final int ALIGNMENT = 256;
  private static final int HOPPER = 90;
  private static final String INSTEAD = "; set backend.attention to own";

  private record Key(boolean backward, DType dtype, AttentionShape shape, long slots, long length) {}

  private record Planned(CudnnAttentionGraph graph, CudnnPlan plan) {}

  private final CudaDevice device;
  private final SequenceSlots sequenceSlots;
  private final CudnnContext context;
  private final Map<Key, Planned> plans = new LinkedHashMap<>(16, 0.75f, true);

  /** @throws BackendException if cuDNN is not there, too old, or this GPU is not one that it trains on deterministically */
  public CudnnAttention(CudaDevice device, CudaDeviceInfo info, SequenceSlots sequenceSlots) {
    CudnnInstallation installation = CudnnInstallation.find();
    if (!installation.usable()) {
      throw new BackendException("backend.attention is cudnn, but " + installation.problem().get() + ", or set backend.attention to own");
    }
    if (info.capability() / 10 != HOPPER / 10) {
      throw new BackendException("backend.attention is cudnn, but cuDNN's deterministic backward pass needs a Hopper GPU (compute capability 9.0), and "
          + info.name() + " has " + info.capabilityText() + INSTEAD);
    }
    this.device = device;
    this.sequenceSlots = sequenceSlots;
    this.context = new CudnnContext(device);
  }

  /** Of cuDNN, for example {@code 9.19.1}. */
  public String version() {
    return CudnnInstallation.find().versionText();
  }

  /** Whether these sequences can be given to cuDNN: it knows no segments that go on from a shared one. */
  public static boolean takes(Segments segments) {
    return segments.parents() == null;
  }

  /** As {@link io.github.grpo4j.backend.Backend#attention}, of what was checked there. */
  public void forward(Tensor o, Tensor lse, Tensor qkv, AttentionShape shape, Segments segments) {
    if (qkv.rows() == 0) {
      return;
    }
    Planned planned = planned(false, qkv.dtype(), shape, segments);
    Memory memory = new Memory(planned, shape, segments, lse == null ? qkv.rows() * shape.heads() * Float.BYTES : 0);
    CudnnAttentionGraph graph = planned.graph();
    planned.plan().run(context, memory.binding(qkv, shape).bind(graph.o, o.address()).bind(graph.lse, lse == null ? memory.extra : lse.address()),
        memory.workspace);
  }

  /** As {@link io.github.grpo4j.backend.Backend#attentionBackward}, of what was checked there. */
  public void backward(Tensor dqkv, Tensor dO, Tensor o, Tensor lse, Tensor qkv, AttentionShape shape, Segments segments) {
    if (qkv.rows() == 0) {
      return;
    }
    Planned planned = planned(true, qkv.dtype(), shape, segments);
    CudnnAttentionGraph graph = planned.graph();
    Memory memory = new Memory(planned, shape, segments, slots(segments) * length(segments) * shape.heads() * Float.BYTES);
    CudnnPlan.Binding binding = memory.binding(qkv, shape).bind(graph.o, o.address()).bind(graph.lse, lse.address()).bind(graph.dO, dO.address())
        .bind(graph.dQ, dqkv.address()).bind(graph.dK, column(dqkv, shape.kColumn())).bind(graph.dV, column(dqkv, shape.vColumn()))
        .bind(graph.rowSums, memory.extra);
    planned.plan().run(context, binding, memory.workspace);
  }

  /** One op's share of the device's scratch memory: where the sequences lie, cuDNN's workspace, and a tensor beside. */
  private final class Memory {
    private final CudnnAttentionGraph graph;
    private final long lengths;
    private final long offsets;
    private final long offsetsBytes;
    private final long extra;
    private final long workspace;

    Memory(Planned planned, AttentionShape shape, Segments segments, long extraBytes) {
      graph = planned.graph();
      long slots = slots(segments);
      offsetsBytes = aligned((slots + 1) * Long.BYTES);
      long beforeExtra = aligned(slots * Integer.BYTES) + 3 * offsetsBytes;
      long bytes = beforeExtra + aligned(extraBytes) + planned.plan().workspaceBytes();
      lengths = scratch(bytes, segments);
      offsets = lengths + aligned(slots * Integer.BYTES);
      extra = lengths + beforeExtra;
      workspace = extra + aligned(extraBytes);
      sequenceSlots.write(lengths, offsets, offsetsBytes / Long.BYTES, segments.cuSeqlens(), slots, shape);
    }

    private CudnnPlan.Binding binding(Tensor qkv, AttentionShape shape) {
      return new CudnnPlan.Binding().bind(graph.lengths, lengths).bind(graph.qkvOffsets, offsets).bind(graph.outOffsets, offsets + offsetsBytes)
          .bind(graph.lseOffsets, offsets + 2 * offsetsBytes).bind(graph.q, qkv.address()).bind(graph.kT, column(qkv, shape.kColumn()))
          .bind(graph.v, column(qkv, shape.vColumn()));
    }
  }

  private long scratch(long bytes, Segments segments) {
    try {
      return device.scratch(bytes);
    } catch (BackendException e) {
      throw new BackendException("cuDNN's attention needs " + bytes + " bytes of workspace for " + slots(segments) + " sequences of up to "
          + length(segments) + " tokens, which the GPU does not have; lower training.micro_batch_tokens, or set backend.attention to own", e);
    }
  }

  private Planned planned(boolean backward, DType dtype, AttentionShape shape, Segments segments) {
    Key key = new Key(backward, dtype, shape, slots(segments), length(segments));
    Planned planned = plans.get(key);
    if (planned == null) {
      makeRoom();
      planned = plan(key);
      plans.put(key, planned);
    }
    return planned;
  }

  /** Closes the plan that was used longest ago if there are too many: each holds code on the GPU. */
  private void makeRoom() {
    if (plans.size() == MOST_PLANS) {
      device.synchronize();
      plans.remove(plans.keySet().iterator().next()).graph().close();
    }
  }

  private Planned plan(Key key) {
    AttentionShape shape = key.shape();
    if (key.dtype() == DType.F32) {
      throw new BackendException("cuDNN has no attention in F32: set model.dtype to bf16 or f16, or backend.attention to own");
    }
    if (shape.headDim() % HEAD_STEP != 0 || shape.headDim() > LARGEST_HEAD) {
      throw new BackendException("cuDNN has no attention for heads of " + shape.headDim() + " columns, only for multiples of " + HEAD_STEP + " up to "
          + LARGEST_HEAD + INSTEAD);
    }
    CudnnGraph.Type type = key.dtype() == DType.F16 ? CudnnGraph.Type.F16 : CudnnGraph.Type.BF16;
    CudnnAttentionGraph graph = key.backward() ? CudnnAttentionGraph.backward(shape, type, key.slots(), key.length())
        : CudnnAttentionGraph.forward(shape, type, key.slots(), key.length());
    try {
      return new Planned(graph, graph.plan(context));
    } catch (BackendException e) {
      graph.close();
      throw new BackendException("cuDNN " + CudnnInstallation.find().versionText() + " cannot do the attention of " + key.slots() + " sequences of up to "
          + key.length() + " tokens with " + shape + " in " + key.dtype() + ": " + e.getMessage() + INSTEAD, e);
    }
  }

  private static long slots(Segments segments) {
    long count = segments.cuSeqlens().elements() - 1;
    return count == 1 ? 1 : Long.highestOneBit(count - 1) << 1;
  }

  private static long length(Segments segments) {
    return (segments.maxSeqlen() + LENGTH_STEP - 1) / LENGTH_STEP * LENGTH_STEP;
  }

  private static long column(Tensor tensor, int column) {
    return tensor.address() + (long) column * tensor.dtype().bytes();
  }

  private static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  @Override
  public void close() {
    plans.values().forEach(planned -> planned.graph().close());
    context.close();
  }
}
