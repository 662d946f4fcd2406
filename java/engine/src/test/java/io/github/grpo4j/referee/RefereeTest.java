package io.github.grpo4j.referee;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.model.BuiltinModels;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.track.Metrics;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Six steps of many configurations, which together turn every option that training reads away from its default. */
class RefereeTest {
  /** fp32 against fp64 over 6 steps: measured at most 1.4e-4 of the distance that the weights have moved; a wrong sign is 1e-1. */
  private static final double UPDATE_ERROR = 5e-4;
  private static final double METRIC_ERROR = 2e-5;
  /** Distances of log-probs by decoding from those by training, which are one on the CPU. */
  private static final String MISMATCH = "sampling/sampling_logp_difference/";

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {
      "training.seed=1",
      "training.seed=7 rollout.temperature=0.7",
      "grpo.updates_per_rollout=2 optimizer.learning_rate=3e-4 optimizer.schedule=linear optimizer.warmup_steps=3"
          + " optimizer.min_lr_ratio=0.1",
      "optimizer.schedule=cosine optimizer.warmup_steps=2 optimizer.min_lr_ratio=0.2 grpo.updates_per_rollout=2",
      "optimizer.betas=[0.8,0.95] optimizer.eps=1e-3 optimizer.weight_decay=0.1 optimizer.max_grad_norm=0.05",
      "optimizer.max_grad_norm=0 grpo.advantage=none grpo.aggregation=constant training.seed=3",
      "grpo.advantage=batch grpo.std=sample grpo.advantage_eps=0.01 grpo.aggregation=sequence_mean",
      "grpo.advantage=normalize_then_sum grpo.std=sample reward.format_weight=0.5 rollout.answers_per_question=4",
      "grpo.kl=k1 grpo.kl_coef=0.05 grpo.kl_times_ratio=false grpo.updates_per_rollout=2 optimizer.learning_rate=3e-4",
      "grpo.kl=k2 grpo.kl_coef=0.1 grpo.updates_per_rollout=2 rollout.temperature=1.3 optimizer.learning_rate=3e-4",
      "grpo.kl=k3 grpo.kl_coef=0.05 grpo.updates_per_rollout=2 grpo.aggregation=sequence_sum optimizer.learning_rate=3e-4",
      "grpo.kl=exact grpo.kl_coef=0.1 rollout.temperature=0.8 optimizer.learning_rate=3e-4",
      "grpo.kl=k1 grpo.kl_coef=0.05 grpo.kl.where=reward rollout.temperature=1.2 optimizer.learning_rate=3e-4",
      "grpo.importance_level=sequence grpo.clip_low=0.01 grpo.clip_high=0.02 grpo.updates_per_rollout=2 optimizer.learning_rate=3e-4",
      "grpo.importance_level=sequence grpo.kl_coef=0.1 grpo.entropy_coef=0.02 grpo.updates_per_rollout=2 optimizer.learning_rate=3e-4",
      "grpo.entropy_coef=0.03 grpo.aggregation=sequence_mean training.seed=5",
      "grpo.clip_low=0.01 grpo.clip_high=0.02 grpo.ratio_cap=1.05 grpo.updates_per_rollout=3 rollout.questions_per_step=3"
          + " optimizer.learning_rate=3e-4",
      "grpo.dual_clip=1.02 grpo.clip_high=0.05 grpo.updates_per_rollout=3 rollout.questions_per_step=3 optimizer.learning_rate=3e-4",
      "grpo.clipping=none grpo.updates_per_rollout=2 optimizer.learning_rate=3e-4",
      "grpo.clipping=dynamic grpo.clip_low=0.005 grpo.clip_high=0.01 grpo.dual_clip=1.02 grpo.updates_per_rollout=2"
          + " optimizer.learning_rate=3e-4",
      "grpo.aggregation=bucket_mean rollout.answers_per_question=6 training.seed=2 optimizer.learning_rate=3e-4",
      "grpo.grouping=length_bucket rollout.answers_per_question=12 rollout.temperature=1.2",
      "grpo.overlong=drop rollout.max_new_tokens=14 rollout.answers_per_question=5",
      "grpo.overlong=mask rollout.max_new_tokens=14 rollout.answers_per_question=5 grpo.entropy_coef=0.01",
      "grpo.overlong=soft_penalty rollout.max_new_tokens=16 rollout.answers_per_question=4",
      "grpo.weighting=additive training.seed=11", "grpo.weighting=ratio training.seed=11", "grpo.weighting=logistic training.seed=11",
      "grpo.weighting=focal training.seed=11", "grpo.weighting=softmax training.seed=11 rollout.answers_per_question=4",
      "grpo.logprob_temperature=one rollout.temperature=0.8 grpo.updates_per_rollout=2 grpo.kl_coef=0.05 optimizer.learning_rate=3e-4",
      "grpo.reference_refresh=mix grpo.reference_refresh.every=3 grpo.reference_refresh.alpha=0.7 grpo.kl_coef=0.3"
          + " optimizer.learning_rate=3e-4",
      "grpo.reference_refresh=reset grpo.reference_refresh.every=2 grpo.kl=exact grpo.kl_coef=0.3 optimizer.learning_rate=3e-4",
      "grpo.overlong=mask rollout.max_new_tokens=15 grpo.updates_per_rollout=2 rollout.answers_per_question=4 optimizer.learning_rate=3e-4",
      "grpo.overlong=mask rollout.max_new_tokens=15 grpo.updates_per_rollout=2 rollout.answers_per_question=6 grpo.aggregation=bucket_mean"
          + " grpo.entropy_coef=0.01 training.seed=2 optimizer.learning_rate=3e-4",
      "grpo.reference_refresh=reset grpo.reference_refresh.every=3 grpo.updates_per_rollout=2 grpo.kl_coef=0.3"
          + " optimizer.learning_rate=3e-4",
      "rollout.repetition_penalty=1.2 rollout.temperature=1.4",
      "grpo.reference_placement=host grpo.kl_coef=0.1 optimizer.learning_rate=3e-4",
      "training.shuffle_rewards=true training.seed=4",
      "reward.kind=penalty_fixed grpo.entropy_coef=0.02 grpo.kl_coef=0.1 reward.format_weight=0.3",
      "reward.kind=think_answer optimizer.weight_decay=0.2 grpo.entropy_coef=0.01",
      "data.train_limit=5 training.epochs=3 training.max_steps=0 rollout.questions_per_step=2 training.seed=9",
      "rollout.temperature=1.3 rollout.top_k=2 training.eval_samples=2 data.eval_limit=2",
      "rollout.temperature=1.3 rollout.top_p=0.7 training.eval_samples=0",
      "rollout.temperature=1.3 rollout.min_p=0.3 training.eval_interval=4", "grpo.advantage=rloo training.seed=3 training.recompute=layer",
      "grpo.shaping=[\"similarity\"] grpo.advantage=normalize_then_sum training.seed=3 optimizer.placement=host",
      "grpo.shaping=[{\"kind\":\"similarity\",\"source\":\"reference\",\"tau\":0.3,\"alpha\":0.5,\"center\":false,\"depth\":2}]"
          + " training.seed=1",
      "grpo.overlong=soft_penalty grpo.overlong.buffer=9 grpo.overlong.factor=0.7 grpo.advantage=normalize_then_sum"
          + " grpo.advantage_eps=0.5 grpo.kl_coef=0.02 grpo.kl.where=reward",
      "grpo.clipping=dynamic grpo.clip_low=0.01 grpo.clip_high=0.02 grpo.surrogate.low_floor=0 grpo.surrogate.cap=1.01"
          + " grpo.updates_per_rollout=2",
      "grpo.grouping=length_bucket grpo.grouping.min_bucket=2 grpo.grouping.scope=question rollout.answers_per_question=8"
          + " rollout.temperature=1.2",
      "grpo.weighting=additive grpo.weighting.measure=reward grpo.weighting.min=0.9 grpo.weighting.max=1.1"
          + " grpo.weighting.renormalize=true training.seed=11",
      "grpo.weighting=focal grpo.weighting.gamma=2 training.seed=11",
      "grpo.weighting=softmax grpo.weighting.temperature=0.5 training.seed=11",
      "grpo.weighting=logistic grpo.weighting.slope=3 grpo.weighting.midpoint=0.4 grpo.weighting.max=3 training.seed=11",
      "data.curriculum=easy_to_hard data.train_limit=4 training.epochs=3",
      "data.curriculum=hard_to_easy data.train_limit=4 training.epochs=3 training.seed=3",
      "reward.kind=original_v1 grpo.entropy_coef=0.01 training.micro_batch_tokens=4096 rollout.max_batch=2 training.eval_interval=0"
  })
  void theRunIsWhatTheRefereeFinds(String configuration) throws IOException {
    TestBackends.assumeCpu("the wiring knows nothing of the back end");
    check(List.of(configuration.split(" ")));
  }

  /** Counters, rates, moments, reference and accuracies go on where they stopped. */
  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "1 | optimizer.schedule=cosine optimizer.warmup_steps=2 grpo.updates_per_rollout=2 grpo.kl_coef=0.1 optimizer.weight_decay=0.1",
      "4 | optimizer.schedule=linear grpo.overlong=mask rollout.max_new_tokens=12 grpo.entropy_coef=0.01 grpo.updates_per_rollout=2",
      "3 | data.curriculum=easy_to_hard data.train_limit=4 training.epochs=3 grpo.reference_refresh=mix grpo.reference_refresh.every=2"
          + " grpo.kl_coef=0.3 optimizer.learning_rate=3e-4"
  })
  void aResumedRunIsWhatTheRefereeFinds(int stop, String configuration) throws IOException {
    TestBackends.assumeCpu("the wiring knows nothing of the back end");
    check(List.of(configuration.split(" ")), stop);
  }

  private void check(List<String> assignments, int... stops) throws IOException {
    Settings settings = new Settings(assignments);
    RefereedRun run = RefereedRun.of(settings.assignments(), folder.resolve("run"), stops);
    PlainModel start = PlainModel.read(BuiltinModels.resolve("builtin:tiny").resolve("model.safetensors"));
    PlainModel model = start.copy();
    PlainTrainer referee = new PlainTrainer(settings, model);
    PlainCurriculum order = new PlainCurriculum(settings);
    PlainEvaluation evaluation = new PlainEvaluation(settings, model);
    int planned = order.stepsPerEpoch() * settings.whole("training.epochs");
    int total = settings.whole("training.max_steps") == 0 ? planned : Math.min(planned, settings.whole("training.max_steps"));
    assertEquals(total, run.steps.size(), "steps");
    double skipped = 0;
    for (int step = 0; step <= total; step++) {
      Map<String, Double> expected = new LinkedHashMap<>();
      if (step > 0) {
        List<Sampled> sampled = run.steps.get(step - 1);
        checkOrder(sampled, order.next(), settings.whole("rollout.answers_per_question"));
        expected.putAll(referee.step(step, sampled, total, order.stepsPerEpoch()));
        order.done(referee.accuracies(sampled), expected);
        skipped += expected.getOrDefault("skipped_updates", 0.0);
        expected.put("skipped_updates", skipped);
      }
      assertEquals(evaluation.isDue(step, total), run.evaluations.containsKey(step), "evaluation after step " + step);
      if (evaluation.isDue(step, total)) {
        evaluation.check(run.evaluations.get(step), expected);
      }
      assertMetrics("step " + step, expected, run.metrics.getOrDefault(step, Map.of()));
    }
    assertTrue(referee.largestMismatch < 1e-4, "stored log-probs and entropies are off by " + referee.largestMismatch);
    assertUpdate("run", start, model, PlainModel.read(run.weights()));
  }

  /** Each of them, and no other but times and memory. */
  private static void assertMetrics(String step, Map<String, Double> expected, Map<String, Number> found) {
    Set<String> names = new TreeSet<>(found.keySet());
    names.removeIf(Metrics::isOfMachine);
    names.removeIf(name -> name.startsWith(MISMATCH));
    assertEquals(new TreeSet<>(expected.keySet()), names, step);
    for (Map.Entry<String, Double> metric : expected.entrySet()) {
      double value = metric.getValue();
      assertEquals(value, found.get(metric.getKey()).doubleValue(),
          metric.getKey().equals("learning_rate") ? 1e-15 : METRIC_ERROR * Math.max(1, Math.abs(value)), step + " " + metric.getKey());
    }
    found.forEach((name, value) -> assertTrue(!name.startsWith(MISMATCH) || value.doubleValue() == 0, step + " " + name + " is " + value));
  }

  private static void checkOrder(List<Sampled> sampled, int[] problems, int answers) {
    assertEquals(problems.length * answers, sampled.size(), "completions of the step");
    for (int i = 0; i < sampled.size(); i++) {
      assertEquals(problems[i / answers], sampled.get(i).problem(), "problem of completion " + i);
      assertEquals(i / answers, sampled.get(i).group(), "question of completion " + i);
    }
  }

  /** The whole change of the weights, and that of every single tensor. */
  static void assertUpdate(String where, PlainModel start, PlainModel expected, PlainModel found) {
    double moved = 0;
    double apart = 0;
    for (String name : start.weights.keySet()) {
      double movedHere = 0;
      double apartHere = 0;
      for (int i = 0; i < start.weights.get(name).length; i++) {
        double change = expected.weights.get(name)[i] - start.weights.get(name)[i];
        double error = found.weights.get(name)[i] - expected.weights.get(name)[i];
        movedHere += change * change;
        apartHere += error * error;
      }
      assertTrue(Math.sqrt(apartHere) <= 5 * UPDATE_ERROR * Math.sqrt(movedHere) + 1e-9,
          where + ": " + name + " is off by " + Math.sqrt(apartHere / movedHere));
      moved += movedHere;
      apart += apartHere;
    }
    assertTrue(Math.sqrt(apart) <= UPDATE_ERROR * Math.sqrt(moved) + 1e-9,
        where + ": the change of the weights is off by " + Math.sqrt(apart / moved));
  }
}
