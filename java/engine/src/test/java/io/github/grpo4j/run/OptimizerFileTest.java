package io.github.grpo4j.run;

import static io.github.grpo4j.testing.Accuracy.assertSameBits;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.CausalLm.Recompute;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelConfig.Family;
import io.github.grpo4j.model.safetensors.ModelFormatException;
import io.github.grpo4j.model.safetensors.SafetensorsFile;
import io.github.grpo4j.model.safetensors.SafetensorsWriter;
import io.github.grpo4j.model.safetensors.TensorInfo;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.optim.AdamW.Placement;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.OpenModel;
import io.github.grpo4j.update.GradientPass;
import io.github.grpo4j.update.GradientPass.Sample;
import io.github.grpo4j.update.LinearLoss;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The optimizer's state, written and read back: training goes on as if nothing had happened. */
class OptimizerFileTest {
  /** Widths that are no multiples of a panel, and an odd one: padding must not reach the file. */
  private static final ModelConfig CONFIG = OpenModel.config(Family.QWEN2, 36, 2, 3, 1, 10, 45, 71, true);

  @TempDir Path folder;

  @ParameterizedTest
  @MethodSource("io.github.grpo4j.testing.TestBackends#storageTypes")
  void restoredOptimizerContinuesToTheBit(DType dtype) throws IOException {
    Path file = folder.resolve("optimizer.safetensors");
    try (Run run = new Run(CONFIG, dtype, 1); Run restored = new Run(CONFIG, dtype, 1)) {
      run.train(3);
      OptimizerFile.save(run.open.backend(), run.optimizer, file);
      // What a checkpoint's model.safetensors does for weights that are their own masters.
      if (dtype == DType.F32) {
        restored.copyWeights(run);
      }
      OptimizerFile.load(restored.open.backend(), restored.optimizer, file);
      assertEquals(3, restored.optimizer.stepCount());
      assertSameState(run, restored);
      run.train(2);
      restored.train(2);
      assertSameState(run, restored);

      Path again = folder.resolve("again.safetensors");
      OptimizerFile.save(run.open.backend(), run.optimizer, file);
      OptimizerFile.save(restored.open.backend(), restored.optimizer, again);
      assertArrayEquals(Files.readAllBytes(file), Files.readAllBytes(again));
    }
  }

  /** A mapping would stay in memory until the garbage collector finds it: for a real model, as much again as the whole optimizer. */
  @Test
  @EnabledOnOs(OS.LINUX)
  void loadingMapsNothing() throws IOException {
    Path file = folder.resolve("unmapped.safetensors");
    try (Run run = new Run(CONFIG, DType.BF16, 1)) {
      OptimizerFile.save(run.open.backend(), run.optimizer, file);
      OptimizerFile.load(run.open.backend(), run.optimizer, file);
      assertFalse(Files.readString(Path.of("/proc/self/maps")).contains(file.getFileName().toString()));
    }
  }

  /** Files are the same whatever the placement, and a run goes on with any. */
  @ParameterizedTest
  @MethodSource("io.github.grpo4j.testing.TestBackends#storageTypes")
  void placementsShareTheirFiles(DType dtype) throws IOException {
    Path first = folder.resolve("DEVICE.safetensors");
    try (Run device = new Run(CONFIG, dtype, 1)) {
      device.train(2);
      OptimizerFile.save(device.open.backend(), device.optimizer, first);
      for (Placement placement : new Placement[] {Placement.OFFLOAD, Placement.HOST}) {
        Path file = folder.resolve(placement + ".safetensors");
        try (Run run = new Run(CONFIG, dtype, 1, placement)) {
          run.train(2);
          OptimizerFile.save(run.open.backend(), run.optimizer, file);
          assertArrayEquals(Files.readAllBytes(first), Files.readAllBytes(file), "file of " + placement);
        }
      }
      device.train(1);
      for (Placement placement : Placement.values()) {
        try (Run restored = new Run(CONFIG, dtype, 1, placement); Run earlier = new Run(CONFIG, dtype, 1)) {
          if (dtype == DType.F32) {
            earlier.train(2);
            restored.copyWeights(earlier);
          }
          OptimizerFile.load(restored.open.backend(), restored.optimizer, first);
          restored.train(1);
          assertSameState(device, restored);
        }
      }
    }
  }

  @Test
  void stateOfAnotherModelOrTypeIsRefused() throws IOException {
    Path file = folder.resolve("optimizer.safetensors");
    Path masters = folder.resolve("masters.safetensors");
    try (Run f32 = new Run(CONFIG, DType.F32, 1); Run bf16 = new Run(CONFIG, DType.BF16, 1)) {
      OptimizerFile.save(f32.open.backend(), f32.optimizer, file);
      OptimizerFile.save(bf16.open.backend(), bf16.optimizer, masters);
      refused(bf16, file, "it has no embedding.master", "model.dtype");
      refused(f32, masters, "embedding.master", "model.dtype");
    }
    ModelConfig wider = OpenModel.config(Family.QWEN2, 36, 2, 3, 1, 10, 46, 71, true);
    ModelConfig deeper = OpenModel.config(Family.QWEN2, 36, 3, 3, 1, 10, 45, 71, true);
    try (Run other = new Run(wider, DType.F32, 1)) {
      refused(other, file, "layers.0.gate_up.weight", "[90, 36]", "[92, 36]");
    }
    try (Run other = new Run(deeper, DType.F32, 1)) {
      refused(other, file, "it has no layers.2.");
    }
  }

  @Test
  void damagedFileIsRefused() throws IOException {
    Path file = folder.resolve("optimizer.safetensors");
    try (Run run = new Run(CONFIG, DType.F32, 1)) {
      OptimizerFile.save(run.open.backend(), run.optimizer, file);
      for (String count : new String[] {null, "", "-1", "many", "99999999999999999999"}) {
        Path changed = withStepCount(file, count);
        refused(run, changed, "step_count");
      }
      byte[] bytes = Files.readAllBytes(file);
      Files.write(file, java.util.Arrays.copyOf(bytes, bytes.length - 1));
      refused(run, file, "safetensors");
      Files.delete(file);
      refused(run, file, "does not exist");
    }
  }

  private static void refused(Run run, Path file, String... parts) {
    String message = assertThrows(ModelFormatException.class,
        () -> OptimizerFile.load(run.open.backend(), run.optimizer, file)).getMessage();
    assertTrue(message.contains(file.toString()), message);
    for (String part : parts) {
      assertTrue(message.contains(part), () -> "'" + part + "' is missing in: " + message);
    }
  }

  private Path withStepCount(Path file, String count) throws IOException {
    Path changed = folder.resolve("changed.safetensors");
    Map<String, String> metadata = new HashMap<>();
    if (count != null) {
      metadata.put("step_count", count);
    }
    try (SafetensorsFile source = SafetensorsFile.open(file);
        SafetensorsWriter writer = SafetensorsWriter.create(changed, source.tensors().values(), metadata)) {
      for (TensorInfo info : writer.tensors()) {
        writer.write(source.buffer(info.name()));
      }
      writer.finish();
    }
    return changed;
  }

  private static void assertSameState(Run expected, Run actual) {
    assertSame("weight", expected.open.readWeights(), actual.open.readWeights());
    assertSame("m", expected.read(AdamW.State::m), actual.read(AdamW.State::m));
    assertSame("v", expected.read(AdamW.State::v), actual.read(AdamW.State::v));
    assertSame("master", expected.read(AdamW.State::master), actual.read(AdamW.State::master));
  }

  private static void assertSame(String what, Map<String, NdArray> expected, Map<String, NdArray> actual) {
    assertEquals(expected.keySet(), actual.keySet());
    expected.forEach((name, array) -> assertSameBits(name + " " + what, array.values(), actual.get(name).values()));
  }

  /** A random model in training. */
  private static final class Run implements AutoCloseable {
    private final OpenModel open;
    private final Gradients gradients;
    private final GradientPass pass;
    private final AdamW optimizer;

    Run(ModelConfig config, DType dtype, long seed) {
      this(config, dtype, seed, Placement.DEVICE);
    }

    Run(ModelConfig config, DType dtype, long seed, Placement placement) {
      open = OpenModel.random(config, dtype, 1, seed);
      gradients = new Gradients(open.backend(), open.weights());
      pass = new GradientPass(open.model(), 16, 16, Recompute.NONE);
      optimizer = new AdamW(open.backend(), open.weights(), new AdamW.Settings(0.9, 0.95, 1e-8, 0.1, false, 1), placement);
    }

    void train(int steps) {
      for (int step = 0; step < steps; step++) {
        optimizer.prefetch();
        gradients.zero();
        pass.backward(List.of(new Sample(new int[] {1, 5, 9, 70, 3}, 1)),
            new LinearLoss(open.backend(), new float[] {-1, -2, 1, -1}, 1), gradients);
        optimizer.step(gradients, 1e-2);
      }
    }

    void copyWeights(Run from) throws IOException {
      Path directory = Files.createTempDirectory("weights");
      io.github.grpo4j.model.ModelDirectory.save(from.open.backend(), from.open.weights(), directory, null);
      try (OpenModel loaded = OpenModel.load(directory, DType.F32, 1, 16)) {
        for (int i = 0; i < open.weights().parameters().size(); i++) {
          copy(open.weights().parameters().get(i).weight(), loaded, loaded.weights().parameters().get(i).weight());
        }
      }
      try (var files = Files.list(directory)) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
      }
      Files.delete(directory);
    }

    private void copy(Tensor target, OpenModel source, Tensor tensor) {
      java.nio.ByteBuffer bytes = java.nio.ByteBuffer.allocateDirect(Math.toIntExact(tensor.bytes()));
      source.backend().download(tensor, 0, bytes);
      open.backend().upload(target, 0, bytes.flip());
    }

    Map<String, NdArray> read(Function<AdamW.State, Tensor> tensor) {
      Map<String, Tensor> tensors = new HashMap<>();
      optimizer.states().forEach(state -> tensors.put(state.parameter().name(), tensor.apply(state)));
      return open.readByFileName(parameter -> tensors.get(parameter.name()));
    }

    @Override
    public void close() {
      optimizer.close();
      pass.close();
      gradients.close();
      open.close();
    }
  }
}
