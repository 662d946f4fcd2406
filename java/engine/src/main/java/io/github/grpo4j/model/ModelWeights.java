package io.github.grpo4j.model;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Function;

/**
 * All weights of a model in the back end's layouts, zero until they are loaded or initialised. Owns its memory.
 *
 * <p>The order of {@link #parameters()} is that of the forward pass; optimizers and checkpoints rely on it.
 */
public final class ModelWeights implements AutoCloseable {
  /** Weights of one block, in the order of {@link ParameterShape#of}; {@code qkvBias} is null where the architecture has none. */
  public record Layer(
      Parameter inputNorm, Parameter qkv, Parameter qkvBias, Parameter output, Parameter postNorm, Parameter gateUp, Parameter down) {}

  private final ModelConfig config;
  private final DType dtype;
  private final List<Parameter> parameters = new ArrayList<>();
  private final Parameter embedding;
  private final List<Layer> layers = new ArrayList<>();
  private final Parameter finalNorm;
  private final Parameter head;

  public ModelWeights(Backend backend, ModelConfig config, DType dtype) {
    this(config, dtype, shape -> backend.allocate(dtype, shape.layout(), shape.shape()));
  }

  /** @param memory of each parameter, in the order of {@link ParameterShape#of} */
  ModelWeights(ModelConfig config, DType dtype, Function<ParameterShape, Tensor> memory) {
    this.config = config;
    this.dtype = dtype;
    Iterator<ParameterShape> shapes = ParameterShape.of(config).iterator();
    embedding = next(memory, shapes);
    for (int i = 0; i < config.layers(); i++) {
      layers.add(new Layer(next(memory, shapes), next(memory, shapes), config.qkvBias() ? next(memory, shapes) : null,
          next(memory, shapes), next(memory, shapes), next(memory, shapes), next(memory, shapes)));
    }
    finalNorm = next(memory, shapes);
    head = config.tied() ? embedding : next(memory, shapes);
  }

  private Parameter next(Function<ParameterShape, Tensor> memory, Iterator<ParameterShape> shapes) {
    ParameterShape shape = shapes.next();
    Parameter parameter = new Parameter(shape.name(), memory.apply(shape), shape.slices());
    parameters.add(parameter);
    return parameter;
  }

  public ModelConfig config() {
    return config;
  }

  public DType dtype() {
    return dtype;
  }

  public List<Parameter> parameters() {
    return List.copyOf(parameters);
  }

  public Parameter embedding() {
    return embedding;
  }

  public Layer layer(int index) {
    return layers.get(index);
  }

  public Parameter finalNorm() {
    return finalNorm;
  }

  /** The matrix of the head: the embedding itself where they are tied. */
  public Parameter head() {
    return head;
  }

  @Override
  public void close() {
    parameters.forEach(parameter -> parameter.weight().close());
  }
}
