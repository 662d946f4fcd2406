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

/**
 * AdamW on the GPU with its state in pinned host memory, on two lanes, see {@code offload.h}. A bucket goes to the lane with less to do so
 * far: buckets differ in size, and by turns one lane of a model would get most of them. Over the bus go 12 bytes an element each
 * way, 8 where the weight is its own master.
 */
final class OffloadedAdamW implements StreamedAdamW {
  private static final int LANES = 2;

  private final StateBuckets buckets;
  private final List<Tensor> staging;
  private final CudaLane[] lanes = new CudaLane[LANES];
  /** Of each bucket. The first two are on different lanes. */
  private final int[] laneOf;
  private final Function<AdamWSettings, CpuOps.g4_adamw_settings> structs;
  private int fetched;

  /**
   * @param staging {@link #stagingBytes} of device memory for each of two lanes; closed with this
   * @param structs the C struct of some settings, valid until the next call
   */
  OffloadedAdamW(CudaDevice device, List<AdamWState> states, int bucket, List<Tensor> staging,
      Function<AdamWSettings, CpuOps.g4_adamw_settings> structs) {
    this.buckets = new StateBuckets(states, bucket);
    this.staging = List.copyOf(staging);
    this.structs = structs;
    this.laneOf = balance(buckets);
    for (int i = 0; i < LANES; i++) {
      lanes[i] = new CudaLane(device);
    }
  }

  private static int[] balance(StateBuckets buckets) {
    int[] lanes = new int[buckets.size()];
    long[] elements = new long[LANES];
    for (int i = 0; i < lanes.length; i++) {
      lanes[i] = elements[1] < elements[0] ? 1 : 0;
      elements[lanes[i]] += buckets.get(i).count();
    }
    return lanes;
  }

  static long stagingBytes(int bucket) {
    return CudaOps.g4_offload_staging(bucket);
  }

  @Override
  public void prefetch() {
    fetched = Math.min(LANES, buckets.size());
    for (int i = 0; i < fetched; i++) {
      lanes[laneOf[i]].follow(); // whatever wrote the states last, a checkpoint's load, did so on the device's own stream
      fetch(i);
    }
  }

  @Override
  public void step(List<Tensor> grads, List<AdamWSettings> settings) {
    for (CudaLane lane : lanes) {
      lane.follow();
    }
    for (int i = 0; i < buckets.size(); i++) {
      if (i >= fetched) {
        fetch(i);
      }
      update(i, grads, settings);
    }
    fetched = 0;
    for (CudaLane lane : lanes) {
      lane.lead();
    }
  }

  private void fetch(int index) {
    StateBuckets.Bucket bucket = buckets.get(index);
    check(CudaOps.g4_offload_fetch(lanes[laneOf[index]].address(), staging.get(laneOf[index]).address(), buckets.master(bucket),
        buckets.m(bucket), buckets.v(bucket), bucket.count()), bucket);
  }

  private void update(int index, List<Tensor> grads, List<AdamWSettings> settings) {
    StateBuckets.Bucket bucket = buckets.get(index);
    Tensor weight = buckets.weight(bucket);
    Tensor grad = grads.get(bucket.parameter());
    check(CudaOps.g4_offload_update(lanes[laneOf[index]].address(), staging.get(laneOf[index]).address(), StateBuckets.at(weight, bucket),
        weight.dtype().code(), buckets.master(bucket), buckets.m(bucket), buckets.v(bucket), StateBuckets.at(grad, bucket), bucket.count(),
        structs.apply(settings.get(bucket.parameter()))), bucket);
  }

  private static void check(int status, StateBuckets.Bucket bucket) {
    if (status != CudaOps.G4_OK) {
      throw new BackendException("streamed AdamW of " + bucket + " failed: " + CudaDevice.lastError());
    }
  }

  @Override
  public void close() {
    for (CudaLane lane : lanes) {
      lane.close();
    }
    staging.forEach(Tensor::close);
  }
}
