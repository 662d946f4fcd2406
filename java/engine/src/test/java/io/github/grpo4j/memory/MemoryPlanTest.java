package io.github.grpo4j.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.backend.DeviceKind;
import io.github.grpo4j.backend.cuda.runtime.CudaDeviceInfo;
import io.github.grpo4j.config.ConfigException;
import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.memory.MemoryPlan.Memory;
import io.github.grpo4j.run.ModelLocation;
import io.github.grpo4j.session.ModelSession;
import io.github.grpo4j.session.TrainingData;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.text.Tokenizer;
import io.github.grpo4j.train.Trainer;
import io.github.grpo4j.train.TrainingListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A plan is what a run then takes, and a run that cannot fit is refused before it touches anything. */
class MemoryPlanTest {
  private static final String BASE = """
      model: {path: "builtin:tiny"}
      data: {kind: synthetic, train_limit: 300, eval_limit: 20}
      prompt: {chat: false, system: "", user: "{question}\\n", response_prefix: ""}
      rollout: {questions_per_step: 8, answers_per_question: 4, max_new_tokens: 30}
      reward: {kind: gsm8k}
      training: {micro_batch_tokens: 700}
      """;

  @TempDir Path folder;

  private RunConfig config(String... assignments) {
    List<String> all = new ArrayList<>(List.of(assignments));
    all.add("training.run_dir=" + folder.resolve("run"));
    return ConfigLoader.parse(BASE, "test", all);
  }

  @ParameterizedTest
  @ValueSource(strings = {
      "model.dtype=f32",
      "model.dtype=bf16",
      "training.recompute=layer",
      "grpo.kl_coef=0.1",
      "rollout.max_batch=9",
      "rollout.kv_cache_mb=1",
      "optimizer.placement=offload",
      "optimizer.placement=host"
  })
  void planAndTrainerTakeTheSameMemory(String variant) {
    RunConfig config = config(variant, "data.max_prompt_tokens=" + longestPrompt());
    try (Trainer trainer = Trainer.open(config, TrainingListener.NONE)) {
      MemoryPlan plan = MemoryPlan.training(config);
      boolean gpu = plan.memories().contains(Memory.GPU);
      assertEquals(TestBackends.isCuda(), gpu);
      double planned = plan.tensorBytes(gpu ? Memory.GPU : Memory.MACHINE);
      assertEquals(1, planned / trainer.allocatedBytes(), 0.05, () -> variant + ": planned " + planned + ", taken " + trainer.allocatedBytes());
      assertEquals(gpu ? plan.tensorBytes(Memory.MACHINE) : 0, trainer.allocatedHostBytes());
    }
  }

  @Test
  void planAndTrainerTakeTheSameMemoryInFp16() {
    TestBackends.assumeCuda("the CPU does not compute in fp16");
    planAndTrainerTakeTheSameMemory("model.dtype=f16");
  }

  /** Whether there is a GPU is known only on the machine of the run. */
  @Test
  void fp16WithoutAGpuIsRefusedInASentence() {
    TestBackends.assumeCpu("there is a GPU");
    RunConfig config = config("model.dtype=f16");
    for (Executable attempt : List.<Executable>of(() -> MemoryPlan.training(config), () -> MemoryPlan.evaluation(config, 4),
        () -> ModelSession.open(config))) {
      String message = assertThrows(ConfigException.class, attempt).getMessage();
      assertTrue(message.startsWith("model.dtype is f16, which needs an NVIDIA GPU (the CPU computes with f32 and bf16), and no"), message);
      assertTrue(message.endsWith("set model.dtype (--dtype) to bf16 or f32"), message);
    }
  }

  /** Scratch of kernels and cuBLAS included, which shows only when something has run. */
  @Test
  void aGpuGivesNoMoreThanPlanned() {
    Assumptions.assumeTrue(TestBackends.isCuda(), "a GPU is asked how much it has left");
    RunConfig config = config("model.dtype=bf16", "optimizer.placement=offload", "rollout.questions_per_step=2", "training.max_steps=1",
        "training.eval_interval=0", "data.max_prompt_tokens=" + longestPrompt());
    MemoryPlan plan = MemoryPlan.training(config);
    long before = CudaDeviceInfo.freeBytes();
    assertEquals(before, plan.availableBytes(Memory.GPU));
    try (Trainer trainer = Trainer.open(config, TrainingListener.NONE)) {
      trainer.run();
      long taken = before - CudaDeviceInfo.freeBytes();
      assertTrue(taken >= trainer.allocatedBytes() && taken <= plan.totalBytes(Memory.GPU), () -> taken + " taken, planned " + plan.parts(Memory.GPU));
    }
    assertEquals(before, CudaDeviceInfo.freeBytes(), "something was not given back");
  }

  /** The shape of Qwen2.5-3B. Its 3.09 billion weights take 5.75 GiB in bf16, gradients 11.5, master and moments 34.5. */
  private RunConfig threeBillion(String... assignments) throws IOException {
    Path model = Files.createDirectories(folder.resolve("3b"));
    Files.writeString(model.resolve("config.json"), """
        {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu", "hidden_size": 2048,
         "num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 2, "intermediate_size": 11008,
         "vocab_size": 151936, "max_position_embeddings": 32768, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
         "tie_word_embeddings": true}
        """);
    List<String> all = new ArrayList<>(List.of("model.path=" + model, "backend.device=cuda", "model.dtype=bf16", "training.recompute=layer",
        "data.max_prompt_tokens=512", "rollout.max_new_tokens=1024", "rollout.max_batch=64", "rollout.kv_cache_mb=2048",
        "training.micro_batch_tokens=4096"));
    all.addAll(List.of(assignments));
    return config(all.toArray(String[]::new));
  }

  @Test
  void threeBillionWeightsTrainIn24GigabytesWithOffload() throws IOException {
    long context = 600L << 20;
    for (String placement : new String[] {"offload", "host"}) {
      MemoryPlan plan = MemoryPlan.training(threeBillion("optimizer.placement=" + placement));
      assertEquals(DeviceKind.CUDA, plan.device());
      long gpu = plan.totalBytes(Memory.GPU) + context;
      assertTrue(gpu < 24_000_000_000L, () -> placement + " takes " + gpu + " of " + plan.parts(Memory.GPU));
      long machine = plan.totalBytes(Memory.MACHINE);
      assertTrue(machine > 34L << 30 && machine < 36L << 30, () -> placement + " takes " + machine + " of " + plan.parts(Memory.MACHINE));
    }
    MemoryPlan beside = MemoryPlan.training(threeBillion("optimizer.placement=device"));
    assertTrue(beside.totalBytes(Memory.GPU) > 50L << 30, () -> "" + beside.parts());
    assertTrue(beside.totalBytes(Memory.MACHINE) < 1L << 30, () -> "" + beside.parts());
  }

  @Test
  void whatDoesNotFitNamesTheMemoryAndTheOption() throws IOException {
    MemoryPlan device = MemoryPlan.training(threeBillion());
    MemoryPlan small = new MemoryPlan(device.model(), device.device(), device.parts(), 1L << 40, 24_000_000_000L);
    assertFalse(small.fits());
    assertTrue(small.fits(Memory.MACHINE));
    String message = assertThrows(BackendException.class, small::requireFits).getMessage();
    assertTrue(message.contains("of GPU memory, and 22.35 GiB are available") && message.contains("optimizer.placement=offload"), message);

    MemoryPlan offload = MemoryPlan.training(threeBillion("optimizer.placement=offload"));
    MemoryPlan laptop = new MemoryPlan(offload.model(), offload.device(), offload.parts(), 16L << 30, 24_000_000_000L);
    assertTrue(laptop.fits(Memory.GPU));
    message = assertThrows(BackendException.class, laptop::requireFits).getMessage();
    assertTrue(message.contains("of memory, and 16.00 GiB are available: optimizer 34"), message);
    MemoryPlan unknown = new MemoryPlan(offload.model(), offload.device(), offload.parts(), MachineMemory.UNKNOWN, MachineMemory.UNKNOWN);
    unknown.requireFits();
  }

  /** A plan takes prompts to be as long as allowed, so the comparison allows what the data has. */
  private int longestPrompt() {
    RunConfig config = config();
    Path model = ModelLocation.find("builtin:tiny").model();
    try (Tokenizer tokenizer = Tokenizer.load(model)) {
      var prompts = TrainingData.prompts(config, model, tokenizer);
      return Math.max(TrainingData.encode(TrainingData.train(config), prompts, config.data()).longest(),
          TrainingData.encode(TrainingData.eval(config.data()), prompts, config.data()).longest());
    }
  }

  @Test
  void aRunThatCannotFitIsRefusedBeforeAnythingIsTouched() throws IOException {
    RunConfig config = config("training.micro_batch_tokens=2000000000");
    BackendException refused = assertThrows(BackendException.class, () -> Trainer.open(config, TrainingListener.NONE));
    assertTrue(refused.getMessage().contains("activations") && refused.getMessage().contains("training.micro_batch_tokens"), refused.getMessage());
    assertFalse(Files.exists(folder.resolve("run")));
  }

  @Test
  void containersLimitWhatAMachineHas() throws IOException {
    Path meminfo = Files.writeString(folder.resolve("meminfo"), "MemTotal:  1000 kB\nMemAvailable:  800 kB\n");
    Path cgroup = Files.createDirectory(folder.resolve("cgroup"));
    assertEquals(800 << 10, MachineMemory.availableBytes(meminfo, cgroup));
    Files.writeString(cgroup.resolve("memory.max"), "max\n");
    Files.writeString(cgroup.resolve("memory.current"), "300000\n");
    assertEquals(800 << 10, MachineMemory.availableBytes(meminfo, cgroup));
    Files.writeString(cgroup.resolve("memory.max"), "500000\n");
    Files.writeString(cgroup.resolve("memory.stat"), "anon 100\nfile 100000\n");
    assertEquals(300000, MachineMemory.availableBytes(meminfo, cgroup));
    assertEquals(MachineMemory.UNKNOWN, MachineMemory.availableBytes(folder.resolve("none"), folder));
  }
}
