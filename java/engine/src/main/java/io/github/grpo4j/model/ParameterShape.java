package io.github.grpo4j.model;

import io.github.grpo4j.backend.AttentionShape;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.DeviceKind;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.model.Parameter.Slice;
import java.util.ArrayList;
import java.util.List;

/**
 * A {@link Parameter} before it has memory: what a model consists of, known from config.json alone. Memory plans and
 * inspections read it, {@link ModelWeights} allocates it.
 *
 * @param name as in {@link Parameter}
 * @param dims {@code [out, in]} of a packed matrix, {@code [n]} of a row-major vector
 */
public record ParameterShape(String name, Layout layout, List<Long> dims, List<Slice> slices) {
  public ParameterShape {
    dims = List.copyOf(dims);
    slices = List.copyOf(slices);
  }

  /** All parameters of a model, in the order of the forward pass; those that it lacks (biases, an untied head) are left out. */
  public static List<ParameterShape> of(ModelConfig config) {
    AttentionShape attention = config.attention();
    long vocabulary = config.vocabSize();
    long hidden = config.hiddenSize();
    long query = attention.outColumns();
    long keyValue = (long) config.kvHeads() * config.headDim();
    long inner = config.intermediateSize();
    List<ParameterShape> shapes = new ArrayList<>();
    shapes.add(matrix("embedding", vocabulary, hidden, List.of(new Slice("model.embed_tokens.weight", 0, vocabulary))));
    for (int i = 0; i < config.layers(); i++) {
      String file = "model.layers." + i + ".";
      String name = "layers." + i + ".";
      shapes.add(vector(name + "input_norm", hidden, List.of(new Slice(file + "input_layernorm.weight", 0, hidden))));
      shapes.add(matrix(name + "qkv.weight", query + 2 * keyValue, hidden, qkvSlices(file, "weight", query, keyValue)));
      if (config.qkvBias()) {
        shapes.add(vector(name + "qkv.bias", query + 2 * keyValue, qkvSlices(file, "bias", query, keyValue)));
      }
      shapes.add(matrix(name + "output.weight", hidden, query, List.of(new Slice(file + "self_attn.o_proj.weight", 0, hidden))));
      shapes.add(vector(name + "post_norm", hidden, List.of(new Slice(file + "post_attention_layernorm.weight", 0, hidden))));
      shapes.add(matrix(name + "gate_up.weight", 2 * inner, hidden,
          List.of(new Slice(file + "mlp.gate_proj.weight", 0, inner), new Slice(file + "mlp.up_proj.weight", inner, inner))));
      shapes.add(matrix(name + "down.weight", hidden, inner, List.of(new Slice(file + "mlp.down_proj.weight", 0, hidden))));
    }
    shapes.add(vector("final_norm", hidden, List.of(new Slice("model.norm.weight", 0, hidden))));
    if (!config.tied()) {
      shapes.add(matrix("head", vocabulary, hidden, List.of(new Slice("lm_head.weight", 0, vocabulary))));
    }
    return shapes;
  }

  private static List<Slice> qkvSlices(String file, String kind, long query, long keyValue) {
    return List.of(
        new Slice(file + "self_attn.q_proj." + kind, 0, query),
        new Slice(file + "self_attn.k_proj." + kind, query, keyValue),
        new Slice(file + "self_attn.v_proj." + kind, query + keyValue, keyValue));
  }

  private static ParameterShape matrix(String name, long rows, long columns, List<Slice> slices) {
    return new ParameterShape(name, Layout.PACKED, List.of(rows, columns), slices);
  }

  private static ParameterShape vector(String name, long elements, List<Slice> slices) {
    return new ParameterShape(name, Layout.ROWS, List.of(elements), slices);
  }

  public long[] shape() {
    return dims.stream().mapToLong(Long::longValue).toArray();
  }

  /** Shape of a slice as the file has it. */
  public long[] shapeOf(Slice slice) {
    return layout == Layout.PACKED ? new long[] {slice.rows(), dims.get(1)} : new long[] {slice.rows()};
  }

  /** Bytes of all parameters of a model stored as {@code dtype} on that device, the padding of packed matrices included. */
  public static long bytes(ModelConfig config, DType dtype, DeviceKind device) {
    return of(config).stream().mapToLong(shape -> device.bytesOf(dtype, shape.layout(), shape.shape())).sum();
  }
}
