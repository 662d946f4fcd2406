package io.github.grpo4j.model;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.DeviceKind;
import io.github.grpo4j.backend.Tensor;
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

  public void zero() {
    tensors.values().forEach(backend::zero);
  }

  @Override
  public void close() {
    tensors.values().forEach(Tensor::close);
  }
}
