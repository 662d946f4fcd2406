package io.github.grpo4j.backend.cuda;

import io.github.grpo4j.backend.AdamWSettings;
import io.github.grpo4j.backend.AdamWState;
import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.backend.StreamedAdamW;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.backend.cpu.CpuOps;
import io.github.grpo4j.backend.cuda.runtime.CudaDevice;
import io.github.grpo4j.backend.cuda.runtime.CudaLane;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.javacpp.LongPointer;

/**
 * AdamW on the host's processor with its state in the host's memory: gradients come in buckets, new weights go back. Two lanes take the
 * buckets by turns; while the processor works on one, the other one sends its weights and receives its next gradient. Over the bus go 4
 * bytes an element to the host, 8 where the weight is its own master, and a weight's 2 or 4 back.
 *
 * <p>The kernel is that of the CPU back end. Its bits are the GPU's, since both do the same IEEE operations in the same order.
 */
final class HostAdamW implements StreamedAdamW {
  private static final int LANES = 2;

  private final StateBuckets buckets;
  private final List<Tensor> staging;
  private final CudaLane[] lanes = new CudaLane[LANES];
  private final int bucketSize;
  private final Function<AdamWSettings, CpuOps.g4_adamw_settings> structs;
  private final long processor;

  /**
   * @param staging {@link #stagingElements} F32 of host memory for each of two lanes; closed with this
   * @param structs the C struct of some settings, valid until the next call
   * @param threads of the processor
   */
  HostAdamW(CudaDevice device, List<AdamWState> states, int bucket, List<Tensor> staging,
      Function<AdamWSettings, CpuOps.g4_adamw_settings> structs, int threads) {
    this.buckets = new StateBuckets(states, bucket);
    this.staging = List.copyOf(staging);
    this.bucketSize = bucket;
    this.structs = structs;
    this.processor = startThreads(threads);
    for (int i = 0; i < LANES; i++) {
      lanes[i] = new CudaLane(device);
    }
  }

  /** A bucket's gradient and its weights. */
  static long stagingElements(int bucket) {
    return 2L * bucket;
  }

  private static long startThreads(int threads) {
    try (LongPointer handle = new LongPointer(1)) {
      // The widest vectors there are; which way of multiplying bf16 is the fastest, G4_ISA_BEST's question, does not matter here.
      int status = CpuOps.g4_stream_create(threads, CpuOps.G4_ISA_AVX512_BF16, handle);
      if (status != CpuOps.G4_OK) {
        throw new BackendException("the optimizer could not start " + threads + " threads on the host, status " + status
            + "; change backend.threads, or optimizer.placement=offload");
      }
      return handle.get();
    }
  }

  /** Nothing to fetch: the states are where the work is, and the gradient is not there yet. */
  @Override
  public void prefetch() {}

  @Override
  public void step(List<Tensor> grads, List<AdamWSettings> settings) {
    for (CudaLane lane : lanes) {
      lane.follow();
    }
    for (int i = 0; i < Math.min(LANES, buckets.size()); i++) {
      receive(i, grads);
    }
    for (int i = 0; i < buckets.size(); i++) {
      lanes[i % LANES].synchronize();
      update(i, settings);
      send(i);
      if (i + LANES < buckets.size()) {
        receive(i + LANES, grads);
      }
    }
    for (CudaLane lane : lanes) {
      lane.lead();
    }
  }

  /** The gradient and, where the weight is its own master, the weight. */
  private void receive(int index, List<Tensor> grads) {
    StateBuckets.Bucket bucket = buckets.get(index);
    Tensor grad = grads.get(bucket.parameter());
    lanes[index % LANES].copy(gradient(index), StateBuckets.at(grad, bucket), bucket.count() * Float.BYTES);
    if (buckets.master(bucket) == 0) {
      lanes[index % LANES].copy(weights(index), StateBuckets.at(buckets.weight(bucket), bucket), bucket.count() * Float.BYTES);
    }
  }

  private void update(int index, List<AdamWSettings> settings) {
    StateBuckets.Bucket bucket = buckets.get(index);
    long master = buckets.master(bucket);
    int status = CpuOps.g4_adamw(processor, weights(index), buckets.weight(bucket).dtype().code(), 0, master == 0 ? weights(index) : master,
        buckets.m(bucket), buckets.v(bucket), gradient(index), bucket.count(), structs.apply(settings.get(bucket.parameter())));
    if (status != CpuOps.G4_OK) {
      throw new BackendException("AdamW on the host of " + bucket + " failed, status " + status);
    }
  }

  private void send(int index) {
    StateBuckets.Bucket bucket = buckets.get(index);
    Tensor weight = buckets.weight(bucket);
    lanes[index % LANES].copy(StateBuckets.at(weight, bucket), weights(index), bucket.count() * weight.dtype().bytes());
  }

  private long gradient(int index) {
    return staging.get(index % LANES).anyAddress();
  }

  private long weights(int index) {
    return gradient(index) + (long) bucketSize * Float.BYTES;
  }

  @Override
  public void close() {
    for (CudaLane lane : lanes) {
      lane.close();
    }
    CpuOps.g4_stream_destroy(processor);
    staging.forEach(Tensor::close);
  }
}
