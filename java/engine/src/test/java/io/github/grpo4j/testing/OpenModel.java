package io.github.grpo4j.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelConfig.Family;
import io.github.grpo4j.model.ModelDirectory;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.model.Parameter;
import io.github.grpo4j.model.Parameter.Slice;
import io.github.grpo4j.model.RandomWeights;
import io.github.grpo4j.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * A model with its weights on a back end of its own. Closing it asserts that everything that was allocated there has been
 * freed, so that every test that uses it is a leak test too.
 */
public final class OpenModel implements AutoCloseable {
  private final Backend backend;
  private final ModelWeights weights;
  private final CausalLm model;

  private OpenModel(Backend backend, ModelWeights weights, int maxPositions) {
    this.backend = backend;
    this.weights = weights;
    this.model = new CausalLm(backend, weights, Math.min(maxPositions, weights.config().maxPositions()));
  }

  public static OpenModel load(Path directory, DType dtype, int threads, int maxPositions) {
    Backend backend = TestBackends.open(threads);
    return new OpenModel(backend, ModelDirectory.load(backend, directory, dtype), maxPositions);
  }

  /** A model folder of the golden values. */
  public static OpenModel fixture(String name, DType dtype, int threads) {
    return load(Fixtures.path(name), dtype, threads, Fixtures.LONGEST_SEQUENCE);
  }

  public static OpenModel random(ModelConfig config, DType dtype, int threads, long seed) {
    Backend backend = TestBackends.open(threads);
    return new OpenModel(backend, RandomWeights.create(backend, config, dtype, seed), config.maxPositions());
  }

  /** For tests of what is around a model: random weights in f32, two layers, 64 tokens, one thread. */
  public static OpenModel small() {
    return random(config(Family.QWEN2, 32, 2, 4, 2, 8, 48, 64, true), DType.F32, 1, 3);
  }

  /** Names of all model folders of the golden values; never none. */
  public static List<String> fixtureNames() {
    try (Stream<Path> entries = Files.list(Fixtures.root())) {
      List<String> names = entries.filter(entry -> Files.isRegularFile(entry.resolve(ModelConfig.FILE)))
          .map(entry -> entry.getFileName().toString()).sorted().toList();
      assertFalse(names.isEmpty(), () -> Fixtures.root() + " has no model folder");
      return names;
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** A config with the JSON that belongs to it; 256 positions. */
  public static ModelConfig config(Family family, int hidden, int layers, int heads, int kvHeads, int headDim, int intermediate,
      int vocab, boolean tied) {
    ObjectNode json = new ObjectMapper().createObjectNode();
    json.putArray("architectures").add(family.architecture());
    json.put("model_type", family.name().toLowerCase(java.util.Locale.ROOT)).put("hidden_act", "silu");
    json.put("hidden_size", hidden).put("num_hidden_layers", layers).put("num_attention_heads", heads);
    json.put("num_key_value_heads", kvHeads).put("head_dim", headDim).put("intermediate_size", intermediate);
    json.put("vocab_size", vocab).put("max_position_embeddings", 256).put("rms_norm_eps", 1e-6);
    json.put("rope_theta", 10000.0).put("tie_word_embeddings", tied);
    return new ModelConfig(family, hidden, layers, heads, kvHeads, headDim, intermediate, vocab, 256, 1e-6f, 10000.0,
        family == Family.QWEN2, tied, -1, json);
  }

  public Backend backend() {
    return backend;
  }

  public ModelWeights weights() {
    return weights;
  }

  public CausalLm model() {
    return model;
  }

  public ModelConfig config() {
    return model.config();
  }

  /** The weights by their names in a Hugging Face file. */
  public Map<String, NdArray> readWeights() {
    return readByFileName(Parameter::weight);
  }

  /** A tensor of each parameter (its weight, its gradient, …) taken apart into the tensors of a Hugging Face file. */
  public Map<String, NdArray> readByFileName(Function<Parameter, Tensor> tensorOf) {
    Map<String, NdArray> arrays = new LinkedHashMap<>();
    for (Parameter parameter : weights.parameters()) {
      for (Slice slice : parameter.slices()) {
        arrays.put(slice.fileName(), read(tensorOf.apply(parameter), slice, parameter.shapeOf(slice)));
      }
    }
    return arrays;
  }

  private NdArray read(Tensor tensor, Slice slice, long[] shape) {
    float[] values = new float[Math.toIntExact(Arrays.stream(shape).reduce(1, Math::multiplyExact))];
    try (Tensor rows = backend.allocate(DType.F32, Layout.ROWS, shape)) {
      if (tensor.layout() == Layout.PACKED) {
        backend.unpackRows(rows, tensor, slice.row0());
      } else if (tensor.dtype() == DType.F32) {
        backend.copy(rows, tensor.rows(slice.row0(), slice.rows())); // from the host's memory, too
      } else {
        backend.cast(rows, tensor.rows(slice.row0(), slice.rows()));
      }
      backend.download(rows, values, 0);
    }
    return new NdArray(Accuracy.toDoubles(values), shape);
  }

  /** The packed sequences {@code input_ids}, {@code cu_seqlens} of a file of golden values. */
  public static List<int[]> sequences(SafetensorsFile file) throws IOException {
    return split(file.ints("input_ids"), file.ints("cu_seqlens"));
  }

  public static List<int[]> split(int[] packed, int[] offsets) {
    List<int[]> parts = new ArrayList<>();
    for (int b = 0; b + 1 < offsets.length; b++) {
      parts.add(Arrays.copyOfRange(packed, offsets[b], offsets[b + 1]));
    }
    return parts;
  }

  @Override
  public void close() {
    model.close();
    weights.close();
    assertEquals(0, backend.allocatedBytes(), "bytes still allocated after the model was closed");
    backend.close();
  }
}
