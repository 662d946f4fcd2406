package io.github.grpo4j.model;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.Backend.AttentionShape;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.Parameter.Slice;
import java.util.ArrayList;
import java.util.List;

/**
 * All weights of a model in the back end's layouts, zero until they are loaded or initialised. Owns its memory.
 *
 * <p>The order of {@link #parameters()} is that of the forward pass; optimizers and checkpoints rely on it.
 */
public final class ModelWeights implements AutoCloseable {
  /** Weights of one block; {@code qkvBias} is null where the architecture has none. */
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
    this.config = config;
    this.dtype = dtype;
    AttentionShape attention = config.attention();
    long hidden = config.hiddenSize();
    long query = attention.outColumns();
    long keyValue = (long) config.kvHeads() * config.headDim();
    long inner = config.intermediateSize();
    embedding = matrix(backend, "embedding", config.vocabSize(), hidden, List.of(new Slice("model.embed_tokens.weight", 0, config.vocabSize())));
    for (int i = 0; i < config.layers(); i++) {
      String file = "model.layers." + i + ".";
      String name = "layers." + i + ".";
      layers.add(new Layer(
          vector(backend, name + "input_norm", hidden, List.of(new Slice(file + "input_layernorm.weight", 0, hidden))),
          matrix(backend, name + "qkv.weight", query + 2 * keyValue, hidden, qkvSlices(file, "weight", query, keyValue)),
          config.qkvBias() ? vector(backend, name + "qkv.bias", query + 2 * keyValue, qkvSlices(file, "bias", query, keyValue)) : null,
          matrix(backend, name + "output.weight", hidden, query, List.of(new Slice(file + "self_attn.o_proj.weight", 0, hidden))),
          vector(backend, name + "post_norm", hidden, List.of(new Slice(file + "post_attention_layernorm.weight", 0, hidden))),
          matrix(backend, name + "gate_up.weight", 2 * inner, hidden,
              List.of(new Slice(file + "mlp.gate_proj.weight", 0, inner), new Slice(file + "mlp.up_proj.weight", inner, inner))),
          matrix(backend, name + "down.weight", hidden, inner, List.of(new Slice(file + "mlp.down_proj.weight", 0, hidden)))));
    }
    finalNorm = vector(backend, "final_norm", hidden, List.of(new Slice("model.norm.weight", 0, hidden)));
    head = config.tied()
        ? embedding
        : matrix(backend, "head", config.vocabSize(), hidden, List.of(new Slice("lm_head.weight", 0, config.vocabSize())));
  }

  private static List<Slice> qkvSlices(String file, String kind, long query, long keyValue) {
    return List.of(
        new Slice(file + "self_attn.q_proj." + kind, 0, query),
        new Slice(file + "self_attn.k_proj." + kind, query, keyValue),
        new Slice(file + "self_attn.v_proj." + kind, query + keyValue, keyValue));
  }

  private Parameter matrix(Backend backend, String name, long rows, long columns, List<Slice> slices) {
    return add(new Parameter(name, backend.allocate(dtype, Layout.PACKED, rows, columns), slices));
  }

  private Parameter vector(Backend backend, String name, long elements, List<Slice> slices) {
    return add(new Parameter(name, backend.allocate(dtype, Layout.ROWS, elements), slices));
  }

  private Parameter add(Parameter parameter) {
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
