package io.github.grpo4j.model;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.DeviceKind;
import io.github.grpo4j.backend.Tensor;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/** The gradient of every parameter, F32 in the parameter's own layout, summed over the micro-batches of a step. */
public final class Gradients implements AutoCloseable {
  private final Backend backend;
  private final Map<Parameter, Tensor> tensors = new LinkedHashMap<>();

  public Gradients(Backend backend, ModelWeights weights) {
    this.backend = backend;
    for (Parameter parameter : weights.parameters()) {
      tensors.put(parameter, backend.allocate(DType.F32, parameter.weight().layout(), parameter.weight().shape()));
    }
  }

  /** Bytes of the gradients of a model. */
  public static long bytes(ModelConfig config, DeviceKind device) {
    return ParameterShape.bytes(config, DType.F32, device);
  }

  /** The gradient of a parameter, or null for null (an architecture without that bias). */
  public Tensor of(Parameter parameter) {
    return parameter == null ? null : tensors.get(parameter);
  }

  /**
   * The same memory as weights of a model of this shape: for a model that is only needed while gradients are not. Closing them frees
   * nothing.
   *
   * @param dtype in which they take no more bytes than gradients do
   */
  public ModelWeights lendAs(Backend backend, ModelConfig config, DType dtype) {
    Iterator<Tensor> memory = tensors.values().iterator();
    return new ModelWeights(config, dtype, shape -> {
      Tensor gradient = memory.next();
      long bytes = backend.sizeOf(dtype, shape.layout(), shape.shape());
      if (!Arrays.equals(gradient.shape(), shape.shape()) || bytes > backend.sizeOf(DType.F32, gradient.layout(), gradient.shape())) {
        throw new IllegalArgumentException(shape.name() + " as " + dtype + " does not fit in the memory of the gradient " + gradient);
      }
      return new Tensor(dtype, shape.layout(), shape.shape(), bytes / dtype.bytes(), gradient.address(), () -> {});
    });
  }

  public void zero() {
    tensors.values().forEach(backend::zero);
  }

  @Override
  public void close() {
    tensors.values().forEach(Tensor::close);
  }
}
