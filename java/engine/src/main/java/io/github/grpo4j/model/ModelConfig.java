package io.github.grpo4j.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.backend.AttentionShape;
import io.github.grpo4j.model.safetensors.ModelFormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Shape of a decoder-only transformer of the Qwen2 or Llama family, as read from a Hugging Face {@code config.json}.
 *
 * @param qkvBias query, key and value projections have a bias (Qwen2) or not (Llama)
 * @param tied the head is the embedding matrix
 * @param eosTokenId as config.json says, or -1; generation_config.json may know more
 * @param json the file's content, written back with a saved model
 */
public record ModelConfig(
    Family family,
    int hiddenSize,
    int layers,
    int heads,
    int kvHeads,
    int headDim,
    int intermediateSize,
    int vocabSize,
    int maxPositions,
    float rmsNormEps,
    double ropeTheta,
    boolean qkvBias,
    boolean tied,
    int eosTokenId,
    ObjectNode json) {

  /** Architectures that {@link CausalLm} computes. */
  public enum Family {
    QWEN2("Qwen2ForCausalLM"),
    LLAMA("LlamaForCausalLM");

    private final String architecture;

    Family(String architecture) {
      this.architecture = architecture;
    }

    public String architecture() {
      return architecture;
    }
  }

  public static final String FILE = "config.json";

  private static final ObjectMapper JSON = new ObjectMapper();
  /** Far beyond any model, and small enough that no number of weights overflows. */
  private static final int MAX_WIDTH = 1 << 22;
  private static final int MAX_LAYERS = 1 << 16;

  public ModelConfig {
    if (heads % kvHeads != 0) {
      throw new ModelFormatException("num_attention_heads " + heads + " is no multiple of num_key_value_heads " + kvHeads);
    }
    if (headDim % 2 != 0) {
      throw new ModelFormatException("head_dim " + headDim + " is odd; rotary embeddings need an even one");
    }
    if (hiddenSize > MAX_WIDTH || (heads + 2L * kvHeads) * headDim > MAX_WIDTH || 2L * intermediateSize > MAX_WIDTH) {
      throw new ModelFormatException("hidden_size " + hiddenSize + ", " + heads + " heads of head_dim " + headDim
          + " or intermediate_size " + intermediateSize + " are beyond the " + MAX_WIDTH + " columns that a matrix may have");
    }
    if (layers > MAX_LAYERS) {
      throw new ModelFormatException("num_hidden_layers " + layers + " is beyond " + MAX_LAYERS);
    }
  }

  /** Reads {@code config.json} of a model directory, or the file itself. */
  public static ModelConfig read(Path path) {
    Path file = Files.isDirectory(path) ? path.resolve(FILE) : path;
    if (!Files.isRegularFile(file)) {
      throw new ModelFormatException(file + " does not exist; a model directory holds config.json, safetensors and tokenizer.json");
    }
    try {
      JsonNode node = JSON.readTree(file.toFile());
      if (!(node instanceof ObjectNode object)) {
        throw new ModelFormatException(file + " is not a JSON object");
      }
      return new Reader(file, object).read();
    } catch (IOException e) {
      throw new ModelFormatException(file + " is not readable JSON: " + firstLine(e.getMessage()), e);
    }
  }

  public AttentionShape attention() {
    return new AttentionShape(heads, kvHeads, headDim);
  }

  /** Number of weights; a tied head counts once. */
  public long parameterCount() {
    long qkv = (long) attention().qkvColumns() * hiddenSize + (qkvBias ? attention().qkvColumns() : 0);
    long layer = qkv + (long) attention().outColumns() * hiddenSize + 3L * hiddenSize * intermediateSize + 2L * hiddenSize;
    return layers * layer + (tied ? 1L : 2L) * vocabSize * hiddenSize + hiddenSize;
  }

  /** The architecture's line of {@code inspect}. */
  public String describe() {
    return String.format(
        "%s, %,d parameters: hidden %d, %d layers, %d heads (%d kv, head_dim %d), intermediate %d, vocabulary %d, %s head",
        family.architecture(), parameterCount(), hiddenSize, layers, heads, kvHeads, headDim, intermediateSize, vocabSize,
        tied ? "tied" : "untied");
  }

  private static String firstLine(String message) {
    return message == null ? "unknown error" : message.lines().findFirst().orElse("");
  }

  /** Reads keys with the defaults of Hugging Face and says which file and key is wrong. */
  private record Reader(Path file, ObjectNode json) {
    ModelConfig read() {
      Family family = family();
      reject("use_sliding_window", json.path("use_sliding_window").asBoolean(false), "sliding-window attention");
      reject("mlp_bias", json.path("mlp_bias").asBoolean(false), "biases in the MLP");
      reject("attention_bias", family == Family.LLAMA && json.path("attention_bias").asBoolean(false), "a bias in o_proj");
      String activation = json.path("hidden_act").asText("silu");
      reject("hidden_act", !activation.equals("silu"), "the activation " + activation);
      int hidden = positive("hidden_size", -1);
      int heads = positive("num_attention_heads", -1);
      if (!json.hasNonNull("head_dim") && hidden % heads != 0) {
        throw wrong("hidden_size " + hidden + " is no multiple of num_attention_heads " + heads + ", and there is no head_dim");
      }
      try {
        return new ModelConfig(family, hidden, positive("num_hidden_layers", -1), heads, positive("num_key_value_heads", heads),
            positive("head_dim", hidden / heads), positive("intermediate_size", -1), positive("vocab_size", -1),
            positive("max_position_embeddings", 2048), (float) number("rms_norm_eps", 1e-6), ropeTheta(),
            family == Family.QWEN2, json.path("tie_word_embeddings").asBoolean(false), eos(), json);
      } catch (ModelFormatException e) {
        throw e.getMessage().startsWith(file.toString()) ? e : wrong(e.getMessage());
      }
    }

    private Family family() {
      JsonNode architectures = json.path("architectures");
      String architecture = architectures.path(0).asText("");
      for (Family family : Family.values()) {
        boolean byType = architecture.isEmpty() && json.path("model_type").asText("").equalsIgnoreCase(family.name());
        if (family.architecture().equals(architecture) || byType) {
          return family;
        }
      }
      String found = architecture.isEmpty() ? "model_type " + json.path("model_type").asText("(none)") : architecture;
      throw wrong("architecture " + found + " is not supported; supported are " + Family.QWEN2.architecture() + " and "
          + Family.LLAMA.architecture());
    }

    /** Published checkpoints say {@code rope_theta}; transformers 5 writes {@code rope_parameters}. */
    private double ropeTheta() {
      JsonNode parameters = json.path("rope_parameters");
      JsonNode scaling = parameters.isObject() ? parameters : json.path("rope_scaling");
      String type = scaling.path("rope_type").asText(scaling.path("type").asText("default"));
      reject("rope_type", !type.equals("default"), "rotary embeddings scaled by " + type);
      JsonNode theta = parameters.path("rope_theta");
      return theta.isNumber() ? theta.asDouble() : number("rope_theta", 10000.0);
    }

    private int eos() {
      JsonNode eos = json.path("eos_token_id");
      return eos.isArray() ? eos.path(0).asInt(-1) : eos.asInt(-1);
    }

    private int positive(String key, int fallback) {
      JsonNode node = json.path(key);
      if (node.isMissingNode() || node.isNull()) {
        if (fallback < 0) {
          throw wrong("has no " + key);
        }
        return fallback;
      }
      if (!node.isIntegralNumber() || !node.canConvertToInt() || node.asInt() <= 0) {
        throw wrong(key + " is " + node + "; it must be a positive integer");
      }
      return node.asInt();
    }

    private double number(String key, double fallback) {
      JsonNode node = json.path(key);
      if (node.isMissingNode() || node.isNull()) {
        return fallback;
      }
      if (!node.isNumber() || !(node.asDouble() > 0)) {
        throw wrong(key + " is " + node + "; it must be a positive number");
      }
      return node.asDouble();
    }

    private void reject(String key, boolean present, String what) {
      if (present) {
        throw wrong(what + " (" + key + ") is not supported");
      }
    }

    private ModelFormatException wrong(String message) {
      return new ModelFormatException(file + ": " + message);
    }
  }
}
