package io.github.grpo4j.model;

import static io.github.grpo4j.testing.Accuracy.assertSameBits;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.model.ModelConfig.Family;
import io.github.grpo4j.model.safetensors.ModelFormatException;
import io.github.grpo4j.model.safetensors.SafetensorsFile;
import io.github.grpo4j.model.safetensors.SafetensorsWriter;
import io.github.grpo4j.model.safetensors.StoredType;
import io.github.grpo4j.model.safetensors.TensorInfo;
import io.github.grpo4j.testing.Fixtures;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.OpenModel;
import io.github.grpo4j.testing.TestBackends;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Hugging Face directories, written and read back; and what is wrong with one that cannot be used. */
class ModelDirectoryTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  /** Widths that are no multiples of a panel, and an odd one. */
  private static final ModelConfig ODD = OpenModel.config(Family.QWEN2, 36, 2, 3, 1, 10, 45, 71, false);

  @TempDir Path folder;

  @ParameterizedTest
  @MethodSource("io.github.grpo4j.testing.TestBackends#storageTypes")
  void savingWhatWasLoadedGivesTheSameBytes(DType dtype) throws IOException {
    Path first = folder.resolve("first");
    Path second = folder.resolve("second");
    saveRandom(ODD, dtype, first);
    Files.writeString(first.resolve("tokenizer.json"), "{}");
    Files.createDirectories(second);
    try (OpenModel open = OpenModel.load(first, dtype, 2, 256)) {
      ModelDirectory.save(open.backend(), open.weights(), second, first);
    }
    for (String name : List.of(ModelDirectory.WEIGHTS, ModelConfig.FILE, "tokenizer.json")) {
      assertArrayEquals(Files.readAllBytes(first.resolve(name)), Files.readAllBytes(second.resolve(name)), name);
    }
    assertEquals(Map.of(DType.F32, "float32", DType.BF16, "bfloat16", DType.F16, "float16").get(dtype),
        JSON.readTree(second.resolve(ModelConfig.FILE).toFile()).path("torch_dtype").asText());
  }

  @ParameterizedTest
  @MethodSource("io.github.grpo4j.testing.OpenModel#fixtureNames")
  @Tag("fixtures")
  void savedModelEqualsThePublishedOne(String name) throws IOException {
    Path original = Fixtures.path(name);
    DType dtype;
    try (SafetensorsFile file = SafetensorsFile.open(original.resolve(ModelDirectory.WEIGHTS))) {
      dtype = file.tensors().values().iterator().next().type() == StoredType.BF16 ? DType.BF16 : DType.F32;
    }
    try (OpenModel open = OpenModel.load(original, dtype, 1, 256)) {
      ModelDirectory.save(open.backend(), open.weights(), folder, original);
    }
    assertArrayEquals(Files.readAllBytes(original.resolve(ModelDirectory.WEIGHTS)),
        Files.readAllBytes(folder.resolve(ModelDirectory.WEIGHTS)));
    assertEquals(JSON.readTree(original.resolve(ModelConfig.FILE).toFile()), JSON.readTree(folder.resolve(ModelConfig.FILE).toFile()));
    assertArrayEquals(Files.readAllBytes(original.resolve("generation_config.json")),
        Files.readAllBytes(folder.resolve("generation_config.json")));
  }

  @Test
  void typeIsWrittenUnderTheNamesThatTheConfigHas() throws IOException {
    for (List<String> keys : List.of(List.of("dtype"), List.of("torch_dtype"), List.of("dtype", "torch_dtype"))) {
      ModelConfig config = OpenModel.config(Family.LLAMA, 8, 1, 2, 1, 4, 8, 16, true);
      keys.forEach(key -> config.json().put(key, "float16"));
      saveRandom(config, DType.BF16, folder);
      ObjectNode json = (ObjectNode) JSON.readTree(folder.resolve(ModelConfig.FILE).toFile());
      for (String key : List.of("dtype", "torch_dtype")) {
        assertEquals(keys.contains(key) ? "bfloat16" : "", json.path(key).asText(), key);
      }
    }
  }

  @Test
  void shardsGiveTheSameWeights() throws IOException {
    saveRandom(ODD, DType.F32, folder);
    Map<String, NdArray> expected = weights();
    shard();
    Map<String, NdArray> sharded = weights();
    assertEquals(expected.keySet(), sharded.keySet());
    expected.forEach((name, array) -> assertSameBits(name, array.values(), sharded.get(name).values()));
  }

  @Test
  void shardNamesCannotLeaveTheDirectory() throws IOException {
    saveRandom(ODD, DType.F32, folder.resolve("model"));
    Files.copy(folder.resolve("model/model.safetensors"), folder.resolve("outside.safetensors"));
    folder = folder.resolve("model");
    shard();
    for (String name : List.of("../outside.safetensors", folder.resolveSibling("outside.safetensors").toString(), "..", ".", "",
        "sub/../../outside.safetensors", "..\\outside.safetensors", "nul\0.safetensors", "weights.bin", ".safetensors")) {
      Path index = folder.resolve(ModelDirectory.INDEX);
      ObjectNode json = (ObjectNode) JSON.readTree(index.toFile());
      ((ObjectNode) json.path("weight_map")).put("model.norm.weight", name);
      Files.writeString(index, json.toString());
      assertRefused(ModelDirectory.INDEX, "not a plain .safetensors file name");
    }
  }

  @Test
  void brokenIndexIsNamed() throws IOException {
    saveRandom(ODD, DType.F32, folder);
    shard();
    Path index = folder.resolve(ModelDirectory.INDEX);
    ObjectNode json = (ObjectNode) JSON.readTree(index.toFile());
    Files.writeString(index, "{\"weight_map\": {");
    assertRefused(ModelDirectory.INDEX, "not readable JSON");
    Files.writeString(index, "[]");
    assertRefused(ModelDirectory.INDEX, "weight_map");
    Files.writeString(index, "");
    assertRefused(ModelDirectory.INDEX, "weight_map");
    Files.writeString(index, json.toString());
    Files.delete(folder.resolve("part-2.safetensors"));
    assertRefused(ModelDirectory.INDEX, "part-2.safetensors", "not in");
    Files.copy(folder.resolve("part-1.safetensors"), folder.resolve("part-2.safetensors"));
    assertRefused("part-2.safetensors", "has no tensor");
    ((ObjectNode) json.path("weight_map")).removeAll();
    ((ObjectNode) json.path("weight_map")).put("model.norm.weight", "part-1.safetensors");
    Files.writeString(index, json.toString());
    assertRefused("has no tensor model.embed_tokens.weight", "Qwen2ForCausalLM");
  }

  @Test
  void missingTensorIsNamed() throws IOException {
    saveRandom(ODD, DType.F32, folder);
    rewrite(info -> info.name().equals("model.layers.1.mlp.up_proj.weight") ? null : info);
    assertRefused(folder.toString(), "model.layers.1.mlp.up_proj.weight", "Qwen2ForCausalLM");
  }

  @Test
  void wrongShapeIsNamed() throws IOException {
    saveRandom(ODD, DType.F32, folder);
    rewrite(info -> info.name().equals("model.layers.0.self_attn.k_proj.weight") ? TensorInfo.of(info.name(), info.type(), 36, 10) : info);
    assertRefused("model.safetensors", "model.layers.0.self_attn.k_proj.weight", "[36, 10]", "[10, 36]", "config.json");
  }

  @Test
  void wrongTypeIsNamed() throws IOException {
    saveRandom(ODD, DType.F32, folder);
    rewrite(info -> info.name().equals("model.norm.weight") ? TensorInfo.of(info.name(), StoredType.I32, info.shape()) : info);
    assertRefused("model.safetensors", "model.norm.weight", "I32", "F32, BF16 or F16");
  }

  @Test
  void truncatedFileIsNamed() throws IOException {
    saveRandom(ODD, DType.F32, folder);
    Path file = folder.resolve(ModelDirectory.WEIGHTS);
    byte[] bytes = Files.readAllBytes(file);
    for (int length : new int[] {0, 7, 8, 100, bytes.length / 2, bytes.length - 1}) {
      Files.write(file, java.util.Arrays.copyOf(bytes, length));
      assertRefused("model.safetensors");
    }
  }

  @Test
  void missingFilesAreNamed() throws IOException {
    assertRefused("config.json", "does not exist");
    saveRandom(ODD, DType.F32, folder);
    Files.delete(folder.resolve(ModelDirectory.WEIGHTS));
    Files.write(folder.resolve("pytorch_model.bin"), new byte[10]);
    assertRefused("neither model.safetensors nor model.safetensors.index.json", ".bin");
  }

  @Test
  void configLargerThanTheFileTakesNoMemory() throws IOException {
    saveRandom(ODD, DType.F32, folder);
    ObjectNode json = ODD.json().deepCopy();
    json.put("num_hidden_layers", 60_000).put("vocab_size", 2_000_000_000);
    Files.writeString(folder.resolve(ModelConfig.FILE), json.toString());
    assertRefused("config.json", "parameters");
  }

  /** Every refusal is a sentence with these parts, and leaves no memory behind. */
  private void assertRefused(String... parts) {
    try (Backend backend = TestBackends.open(1)) {
      String message = assertThrows(ModelFormatException.class, () -> ModelDirectory.load(backend, folder, DType.F32)).getMessage();
      for (String part : parts) {
        assertTrue(message.contains(part), () -> "'" + part + "' is missing in: " + message);
      }
      assertEquals(0, backend.allocatedBytes(), message);
    }
  }

  private static void saveRandom(ModelConfig config, DType dtype, Path directory) throws IOException {
    Files.createDirectories(directory);
    try (OpenModel open = OpenModel.random(config, dtype, 2, 11)) {
      ModelDirectory.save(open.backend(), open.weights(), directory, null);
    }
  }

  private Map<String, NdArray> weights() {
    try (OpenModel open = OpenModel.load(folder, DType.F32, 2, 256)) {
      return open.readWeights();
    }
  }

  /** Replaces the single file by two shards and an index; tensors go to them in turn. */
  private void shard() throws IOException {
    Path single = folder.resolve(ModelDirectory.WEIGHTS);
    ObjectNode index = JSON.createObjectNode();
    ObjectNode map = index.putObject("weight_map");
    try (SafetensorsFile file = SafetensorsFile.open(single)) {
      List<String> names = new ArrayList<>(file.tensors().keySet());
      for (int part = 0; part < 2; part++) {
        int which = part;
        String name = "part-" + (part + 1) + ".safetensors";
        write(file, folder.resolve(name), info -> names.indexOf(info.name()) % 2 == which ? info : null);
        names.stream().filter(tensor -> names.indexOf(tensor) % 2 == which).forEach(tensor -> map.put(tensor, name));
      }
    }
    Files.delete(single);
    Files.writeString(folder.resolve(ModelDirectory.INDEX), index.toString());
  }

  /** The weights with other headers; a tensor is left out where {@code change} gives null. */
  private void rewrite(Function<TensorInfo, TensorInfo> change) throws IOException {
    Path changed = folder.resolve("changed");
    try (SafetensorsFile file = SafetensorsFile.open(folder.resolve(ModelDirectory.WEIGHTS))) {
      write(file, changed, change);
    }
    Files.move(changed, folder.resolve(ModelDirectory.WEIGHTS), java.nio.file.StandardCopyOption.REPLACE_EXISTING);
  }

  private static void write(SafetensorsFile source, Path target, Function<TensorInfo, TensorInfo> change) throws IOException {
    List<TensorInfo> infos = source.tensors().values().stream().map(change).filter(info -> info != null).toList();
    try (SafetensorsWriter writer = SafetensorsWriter.create(target, infos, SafetensorsWriter.PYTORCH)) {
      for (TensorInfo info : writer.tensors()) {
        ByteBuffer bytes = source.buffer(info.name());
        writer.write(bytes);
      }
      writer.finish();
    }
  }
}
