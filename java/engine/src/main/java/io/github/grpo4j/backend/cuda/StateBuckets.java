package io.github.grpo4j.backend.cuda;

import io.github.grpo4j.backend.AdamWState;
import io.github.grpo4j.backend.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * The optimizer state of a model, cut into buckets, parameter by parameter. Matrices are row-major on the GPU in every type, so a
 * bucket is a run of elements with the same index in weight, gradient and states.
 */
final class StateBuckets {
  /** Elements {@code [begin, begin + count)} of a parameter. */
  record Bucket(int parameter, long begin, long count) {}

  private final List<AdamWState> states;
  private final List<Bucket> buckets = new ArrayList<>();

  StateBuckets(List<AdamWState> states, int bucket) {
    this.states = List.copyOf(states);
    for (int i = 0; i < states.size(); i++) {
      long elements = states.get(i).weight().elements();
      for (long begin = 0; begin < elements; begin += bucket) {
        buckets.add(new Bucket(i, begin, Math.min(bucket, elements - begin)));
      }
    }
  }

  int size() {
    return buckets.size();
  }

  Bucket get(int index) {
    return buckets.get(index);
  }

  Tensor weight(Bucket bucket) {
    return states.get(bucket.parameter()).weight();
  }

  /** On the host, or 0 where the weight is its own master. */
  long master(Bucket bucket) {
    AdamWState state = states.get(bucket.parameter());
    return state.master() == state.weight() ? 0 : at(state.master(), bucket);
  }

  long m(Bucket bucket) {
    return at(states.get(bucket.parameter()).m(), bucket);
  }

  long v(Bucket bucket) {
    return at(states.get(bucket.parameter()).v(), bucket);
  }

  /** The bucket's place in a tensor of the parameter's size. */
  static long at(Tensor tensor, Bucket bucket) {
    return tensor.anyAddress() + bucket.begin() * tensor.dtype().bytes();
  }
}
