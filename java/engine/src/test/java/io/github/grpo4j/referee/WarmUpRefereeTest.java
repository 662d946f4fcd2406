package io.github.grpo4j.referee;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.model.BuiltinModels;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.text.Tokenizer;
import io.github.grpo4j.train.SftTrainer;
import io.github.grpo4j.train.TrainingListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Supervised warm-up, replayed: what is imitated is the solution and its end, and not the question. */
class WarmUpRefereeTest {
  private static final List<String> ROWS = List.of(
      row("Mia has 3 pens. Mia buys 4 more. How many pens now?", "3+4=7\n#### 7"),
      row("Tom has 9 eggs. Tom gives away 2. How many eggs now?", "9-2=7\n#### 7"),
      row("Zoe has 2 bags of 5 toys. How many toys?", "2*5=10\n#### 10"),
      row("Max has 8 books. Max buys 8 more. How many books now?", "8+8=16\n#### 16"),
      row("Sam has 6 cards. Sam gives away 6. How many cards now?", "6-6=0\n#### 0"));
  private static final int STEPS = 5;
  private static final int BATCH = 2;
  private static final int END = 2;

  @TempDir Path folder;

  private static String row(String question, String answer) {
    return "{\"question\": \"" + question + "\", \"answer\": \"" + answer.replace("\n", "\\n") + "\"}";
  }

  @ParameterizedTest
  @ValueSource(strings = {
      "optimizer.warmup_steps=2 optimizer.min_lr_ratio=0.1 optimizer.weight_decay=0.05 training.seed=0",
      "optimizer.betas=[0.7,0.9] optimizer.min_lr_ratio=0.3 optimizer.max_grad_norm=0.1 training.seed=3"})
  void theRunIsWhatTheRefereeFinds(String configuration) throws IOException {
    TestBackends.assumeCpu("the wiring knows nothing of the back end");
    List<String> given = List.of((configuration + " optimizer.schedule=linear optimizer.eps=1e-8 optimizer.learning_rate=1e-3").split(" "));
    Settings settings = new Settings(given);
    Map<Integer, Map<String, Number>> rows = run(given);
    Path model = BuiltinModels.resolve("builtin:tiny");
    PlainModel before = PlainModel.read(model.resolve("model.safetensors"));
    PlainModel policy = before.copy();
    PlainAdamW optimizer = new PlainAdamW(settings, policy);
    try (Tokenizer tokenizer = Tokenizer.load(model)) {
      for (int step = 1; step <= STEPS; step++) {
        Map<String, double[]> gradient = policy.zeros();
        int[] batch = batch((long) settings.number("training.seed"), step - 1);
        Map<String, Double> expected = imitate(policy, tokenizer, batch, gradient);
        double rate = PlainAdamW.rate(settings, step - 1, STEPS);
        expected.put("grad_norm", optimizer.step(gradient, rate));
        expected.put("learning_rate", rate);
        Map<String, Number> found = rows.get(step);
        expected.forEach((name, value) -> assertEquals(value, found.get(name).doubleValue(), 2e-5 * Math.max(1, Math.abs(value)), name));
        PlainModel after = PlainModel.read(folder.resolve("run/checkpoints/step_%06d/model/model.safetensors".formatted(step)));
        RefereeTest.assertUpdate("step " + step + " ", before, policy, after);
        policy.assign(after);
        before = after;
      }
    }
  }

  private static int[] batch(long seed, int step) {
    int perEpoch = (ROWS.size() + BATCH - 1) / BATCH;
    int from = step % perEpoch * BATCH;
    return Arrays.copyOfRange(Order.permutation(ROWS.size(), seed, step / perEpoch), from, Math.min(ROWS.size(), from + BATCH));
  }

  /** The mean over the tokens of all solutions of the batch. */
  private static Map<String, Double> imitate(PlainModel policy, Tokenizer tokenizer, int[] batch, Map<String, double[]> gradient) {
    int[][] prompts = new int[batch.length][];
    int[][] ids = new int[batch.length][];
    int targets = 0;
    for (int i = 0; i < batch.length; i++) {
      String[] parts = ROWS.get(batch[i]).split("\"");
      prompts[i] = tokenizer.encode(parts[3] + "\n");
      int[] solution = tokenizer.encode(parts[7].replace("\\n", "\n"));
      ids[i] = Arrays.copyOf(prompts[i], prompts[i].length + solution.length + 1);
      System.arraycopy(solution, 0, ids[i], prompts[i].length, solution.length);
      ids[i][ids[i].length - 1] = tokenizer.encode("<|im_end|>")[0];
      targets += solution.length + 1;
    }
    double loss = 0;
    double entropy = 0;
    for (int i = 0; i < batch.length; i++) {
      PlainModel.Trace trace = policy.forward(ids[i]);
      double[][] dLogits = new double[ids[i].length][];
      for (int t = prompts[i].length; t < ids[i].length; t++) {
        Distribution distribution = new Distribution(trace.logits(t - 1), ids[i][t], 1);
        loss -= distribution.logprob / targets;
        entropy += distribution.entropy / targets;
        dLogits[t - 1] = distribution.backward(-1.0 / targets, 0, 0, null);
      }
      trace.backward(dLogits, gradient);
    }
    return new LinkedHashMap<>(Map.of("loss", loss, "entropy", entropy));
  }

  /** The engine's run, stopped in the middle and resumed. */
  private Map<Integer, Map<String, Number>> run(List<String> given) throws IOException {
    Path data = Files.createDirectories(folder.resolve("data"));
    Files.write(data.resolve("train.jsonl"), ROWS);
    Files.write(data.resolve("test.jsonl"), ROWS.subList(0, 1));
    Map<Integer, Map<String, Number>> rows = new LinkedHashMap<>();
    TrainingListener listener = new TrainingListener() {
      @Override
      public void step(int step, Map<String, Number> metrics) {
        rows.put(step, metrics);
      }
    };
    List<String> assignments = given.stream().filter(one -> !one.startsWith("optimizer.schedule") && !one.startsWith("optimizer.eps"))
        .map(one -> one.replace("optimizer.", "sft."))
        .collect(Collectors.toCollection(ArrayList::new));
    assignments.add("data.path=" + data);
    assignments.add("training.run_dir=" + folder.resolve("run"));
    for (int end : new int[] {END, STEPS}) {
      try (SftTrainer trainer = SftTrainer.open(ConfigLoader.parse("""
          model: {path: "builtin:tiny", dtype: f32}
          backend: {device: cpu}
          data: {kind: gsm8k, max_prompt_tokens: 96}
          prompt: {chat: false, system: "", user: "{question}\\n", response_prefix: ""}
          rollout: {questions_per_step: 1, answers_per_question: 2, max_new_tokens: 8}
          training: {eval_interval: 0, checkpoint_interval: 1, keep_checkpoints: 100, micro_batch_tokens: 160}
          sft: {steps: %d, batch_size: %d, learning_rate: 1.0e-3, betas: [0.9, 0.99], weight_decay: 0, warmup_steps: 0}
          """.formatted(STEPS, BATCH), "referee", assignments), false, listener)) {
        trainer.run(end);
      }
    }
    return rows;
  }
}
