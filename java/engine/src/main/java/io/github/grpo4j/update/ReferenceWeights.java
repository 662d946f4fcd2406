package io.github.grpo4j.update;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.model.Parameter;
import java.util.ArrayList;
import java.util.List;

/** Where a reference model's weights are while nobody looks at them. */
public abstract sealed class ReferenceWeights implements AutoCloseable {
  private final ModelWeights present;

  private ReferenceWeights(ModelWeights present) {
    this.present = present;
  }

  /** In memory of their own on the device, at all times. The weights are closed with this object. */
  public static ReferenceWeights onDevice(ModelWeights weights) {
    return new OnDevice(weights);
  }

  /**
   * In page-locked memory of the host. While log-probs are computed they stand in the place of the gradients, which are zeroed before an
   * update anyway; so they take nothing of the device. They are zero until they are {@link #keep kept}.
   *
   * @param dtype not wider than that of gradients, F32
   */
  public static ReferenceWeights onHost(Backend backend, ModelConfig config, DType dtype, Gradients gradients) {
    return new OnHost(backend, gradients.lendAs(backend, config, dtype));
  }

  /** The weights on the device. Where they rest on the host they have to be brought there first. */
  final ModelWeights present() {
    return present;
  }

  /** Puts the weights where {@link #present} says they are; gradients may be lost. */
  abstract void bring();

  /** Makes what was changed in {@link #present} the weights from now on. */
  abstract void keep();

  @Override
  public abstract void close();

  private static final class OnDevice extends ReferenceWeights {
    OnDevice(ModelWeights weights) {
      super(weights);
    }

    @Override
    void bring() {}

    @Override
    void keep() {}

    @Override
    public void close() {
      present().close();
    }
  }

  private static final class OnHost extends ReferenceWeights {
    private final Backend backend;
    private final List<Tensor> memory = new ArrayList<>();
    private final List<Tensor> resting = new ArrayList<>();

    OnHost(Backend backend, ModelWeights lent) {
      super(lent);
      this.backend = backend;
      try {
        for (Parameter parameter : lent.parameters()) {
          Tensor weight = parameter.weight();
          Tensor slab = backend.allocateHost(Layout.ROWS, (weight.bytes() + Float.BYTES - 1) / Float.BYTES);
          memory.add(slab);
          resting.add(new Tensor(weight.dtype(), weight.layout(), slab.place(), weight.shape(), weight.storedElements(), slab.anyAddress(),
              () -> {}));
        }
      } catch (RuntimeException e) {
        close();
        throw e;
      }
    }

    @Override
    void bring() {
      for (int i = 0; i < resting.size(); i++) {
        backend.copy(present().parameters().get(i).weight(), resting.get(i));
      }
    }

    @Override
    void keep() {
      for (int i = 0; i < resting.size(); i++) {
        backend.copy(resting.get(i), present().parameters().get(i).weight());
      }
    }

    @Override
    public void close() {
      memory.forEach(Tensor::close);
    }
  }
}
