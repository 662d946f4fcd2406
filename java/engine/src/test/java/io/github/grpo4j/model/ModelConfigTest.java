package io.github.grpo4j.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.model.ModelConfig.Family;
import io.github.grpo4j.model.safetensors.ModelFormatException;
import io.github.grpo4j.testing.OpenModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelConfigTest {
  @TempDir Path folder;

  @Test
  void readsBothLayoutsOfRotarySettings() throws IOException {
    assertEquals(10000.0, read(json -> { }).ropeTheta());
    assertEquals(500000.0, read(json -> {
      json.remove("rope_theta");
      json.putObject("rope_parameters").put("rope_type", "default").put("rope_theta", 500000.0);
    }).ropeTheta());
    assertEquals(10000.0, read(json -> json.remove("rope_theta")).ropeTheta(), "the default of both families");
  }

  @Test
  void readsWhatTheFamiliesDifferIn() throws IOException {
    ModelConfig qwen = read(json -> { });
    assertTrue(qwen.qkvBias());
    assertTrue(qwen.tied());
    ModelConfig llama = read(json -> {
      json.putArray("architectures").add("LlamaForCausalLM");
      json.put("tie_word_embeddings", false).put("head_dim", 12).remove("num_key_value_heads");
      json.putArray("eos_token_id").add(5).add(6);
    });
    assertEquals(Family.LLAMA, llama.family());
    assertFalse(llama.qkvBias());
    assertFalse(llama.tied());
    assertEquals(4, llama.kvHeads(), "without num_key_value_heads every head has its own");
    assertEquals(12, llama.headDim());
    assertEquals(5, llama.eosTokenId());
    ModelConfig byType = read(json -> json.remove("architectures"));
    assertEquals(Family.QWEN2, byType.family());
    assertEquals(8, read(json -> json.remove("head_dim")).headDim(), "hidden_size / num_attention_heads");
  }

  @Test
  void countsParameters() throws IOException {
    ModelConfig config = read(json -> { });
    try (OpenModel open = OpenModel.random(config, io.github.grpo4j.backend.DType.F32, 1, 1)) {
      assertEquals(open.readWeights().values().stream().mapToLong(array -> array.values().length).sum(), config.parameterCount());
    }
    assertTrue(config.describe().contains("Qwen2ForCausalLM"), config.describe());
  }

  @Test
  void whatIsNotSupportedIsNamed() {
    refused(json -> json.putArray("architectures").add("MixtralForCausalLM"), "MixtralForCausalLM", "Qwen2ForCausalLM", "LlamaForCausalLM");
    refused(json -> json.put("model_type", "gpt2").remove("architectures"), "gpt2");
    refused(json -> json.put("use_sliding_window", true), "use_sliding_window");
    refused(json -> json.put("mlp_bias", true), "mlp_bias");
    refused(json -> json.put("hidden_act", "gelu"), "gelu");
    refused(json -> json.putObject("rope_scaling").put("type", "linear").put("factor", 2), "scaled by linear");
    refused(json -> json.putObject("rope_scaling").put("rope_type", "yarn"), "scaled by yarn");
    refused(json -> json.putObject("rope_parameters").put("rope_type", "llama3"), "scaled by llama3");
    refused(json -> {
      json.putArray("architectures").add("LlamaForCausalLM");
      json.put("attention_bias", true);
    }, "attention_bias");
  }

  @Test
  void wrongValuesAreNamed() {
    refused(json -> json.remove("hidden_size"), "has no hidden_size");
    refused(json -> json.put("hidden_size", "64"), "hidden_size is \"64\"");
    refused(json -> json.put("num_hidden_layers", 0), "num_hidden_layers is 0");
    refused(json -> json.put("num_hidden_layers", -3), "num_hidden_layers is -3");
    refused(json -> json.put("vocab_size", 1e30), "vocab_size");
    refused(json -> json.put("vocab_size", 5_000_000_000L), "vocab_size is 5000000000");
    refused(json -> json.put("intermediate_size", 3.5), "intermediate_size is 3.5");
    refused(json -> json.put("num_key_value_heads", 3), "num_attention_heads 4", "num_key_value_heads 3");
    refused(json -> json.put("head_dim", 7), "head_dim 7", "odd");
    refused(json -> json.put("hidden_size", 30).remove("head_dim"), "hidden_size 30", "num_attention_heads 4");
    refused(json -> json.put("rms_norm_eps", 0), "rms_norm_eps is 0");
    refused(json -> json.put("rope_theta", "big"), "rope_theta is \"big\"");
    refused(json -> json.put("hidden_size", Integer.MAX_VALUE).put("intermediate_size", Integer.MAX_VALUE), "config.json");
    refused(json -> json.put("head_dim", 1 << 30), "head_dim 1073741824");
    refused(json -> json.put("num_hidden_layers", Integer.MAX_VALUE), "num_hidden_layers");
  }

  @Test
  void whatIsNoJsonObjectIsNamed() throws IOException {
    for (String text : new String[] {"", "[]", "{\"a\": ", "nonsense", "{\"a\":1,}"}) {
      Path file = Files.writeString(folder.resolve(ModelConfig.FILE), text);
      String message = assertThrows(ModelFormatException.class, () -> ModelConfig.read(folder), text).getMessage();
      assertTrue(message.contains(file.toString()) && message.contains("JSON"), message);
    }
  }

  private void refused(Consumer<ObjectNode> change, String... parts) {
    String message = assertThrows(ModelFormatException.class, () -> read(change)).getMessage();
    assertTrue(message.startsWith(folder.resolve(ModelConfig.FILE).toString()), message);
    for (String part : parts) {
      assertTrue(message.contains(part), () -> "'" + part + "' is missing in: " + message);
    }
  }

  private ModelConfig read(Consumer<ObjectNode> change) throws IOException {
    ObjectNode json = OpenModel.config(Family.QWEN2, 32, 2, 4, 2, 8, 48, 64, true).json();
    change.accept(json);
    Files.writeString(folder.resolve(ModelConfig.FILE), json.toString());
    return ModelConfig.read(folder);
  }
}
