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
import java.util.stream.IntStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Six steps of many configurations, which together turn every option that training reads away from its default. */
class RefereeTest {
  /** fp32 against fp64: a share of the distance that the weights have moved in a step. */
  private static final double UPDATE_ERROR = 2e-3;
  private static final double METRIC_ERROR = 2e-5;

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {
      "training.seed=1",
      "training.seed=7 rollout.temperature=0.7",
      "grpo.updates_per_rollout=2 optimizer.eps=1e-6 optimizer.learning_rate=4e-3 optimizer.schedule=linear optimizer.warmup_steps=3 optimizer.min_lr_ratio=0.1",
      "optimizer.schedule=cosine optimizer.warmup_steps=2 optimizer.min_lr_ratio=0.2 grpo.updates_per_rollout=2",
      "optimizer.betas=[0.8,0.95] optimizer.eps=1e-5 optimizer.weight_decay=0.1 optimizer.max_grad_norm=0.05",
      "optimizer.max_grad_norm=0 grpo.advantage=none grpo.aggregation=constant training.seed=3",
      "grpo.advantage=batch grpo.std=sample grpo.advantage_eps=0.01 grpo.aggregation=sequence_mean",
      "grpo.advantage=normalize_then_sum grpo.std=sample reward.format_weight=0.5 rollout.answers_per_question=4",
      "grpo.kl=k1 grpo.kl_coef=0.05 grpo.kl_times_ratio=false grpo.updates_per_rollout=2 optimizer.eps=1e-6 optimizer.learning_rate=4e-3",
      "grpo.kl=k2 grpo.kl_coef=0.1 grpo.updates_per_rollout=2 optimizer.eps=1e-5 rollout.temperature=1.3 optimizer.learning_rate=1e-3",
      "grpo.kl=k3 grpo.kl_coef=0.2 grpo.updates_per_rollout=2 optimizer.eps=1e-5 grpo.aggregation=sequence_sum optimizer.learning_rate=1e-3",
      "grpo.kl=exact grpo.kl_coef=0.1 rollout.temperature=0.8 optimizer.learning_rate=3e-3",
      "grpo.kl=k1 grpo.kl_coef=0.05 grpo.kl.where=reward rollout.temperature=1.2 optimizer.learning_rate=3e-3",
      "grpo.importance_level=sequence grpo.clip_low=0.01 grpo.clip_high=0.02 grpo.updates_per_rollout=2 optimizer.eps=1e-6 optimizer.learning_rate=4e-3",
      "grpo.importance_level=sequence grpo.kl_coef=0.1 grpo.entropy_coef=0.02 grpo.updates_per_rollout=2 optimizer.eps=1e-6 optimizer.learning_rate=4e-3",
      "grpo.entropy_coef=0.03 grpo.aggregation=sequence_mean training.seed=5",
      "grpo.clip_low=0.02 grpo.clip_high=0.04 grpo.ratio_cap=1.06 grpo.updates_per_rollout=3 optimizer.eps=1e-5 rollout.questions_per_step=3 optimizer.learning_rate=2e-3",
      "grpo.dual_clip=1.03 grpo.clip_high=0.02 grpo.updates_per_rollout=3 optimizer.eps=1e-5 rollout.questions_per_step=3 optimizer.learning_rate=2e-3",
      "grpo.clipping=none grpo.updates_per_rollout=2 optimizer.eps=1e-5 optimizer.learning_rate=2e-3",
      "grpo.clipping=dynamic grpo.clip_low=0.03 grpo.clip_high=0.04 grpo.dual_clip=1.1 grpo.updates_per_rollout=2 optimizer.eps=1e-5 optimizer.learning_rate=2e-3",
      "grpo.aggregation=bucket_mean rollout.answers_per_question=6 training.seed=2",
      "grpo.grouping=length_bucket rollout.answers_per_question=12 rollout.temperature=1.2",
      "grpo.overlong=drop rollout.max_new_tokens=14 rollout.answers_per_question=5",
      "grpo.overlong=mask rollout.max_new_tokens=14 rollout.answers_per_question=5 grpo.entropy_coef=0.01",
      "grpo.overlong=mask rollout.max_new_tokens=15 grpo.updates_per_rollout=2 rollout.answers_per_question=4 optimizer.eps=1e-5",
      "grpo.overlong=mask rollout.max_new_tokens=15 grpo.updates_per_rollout=2 rollout.answers_per_question=6 grpo.aggregation=bucket_mean"
          + " grpo.entropy_coef=0.01 optimizer.eps=1e-5 training.seed=2",
      "grpo.overlong=soft_penalty rollout.max_new_tokens=16 rollout.answers_per_question=4",
      "grpo.weighting=additive training.seed=11", "grpo.weighting=ratio training.seed=11", "grpo.weighting=logistic training.seed=11",
      "grpo.weighting=focal training.seed=11", "grpo.weighting=softmax training.seed=11 rollout.answers_per_question=4",
      "grpo.logprob_temperature=one rollout.temperature=0.8 grpo.updates_per_rollout=2 optimizer.eps=1e-5 grpo.kl_coef=0.05 optimizer.learning_rate=1e-3",
      "grpo.reference_refresh=mix grpo.reference_refresh.every=3 grpo.reference_refresh.alpha=0.7 grpo.kl_coef=0.3 optimizer.learning_rate=1e-3",
      "grpo.reference_refresh=reset grpo.reference_refresh.every=2 grpo.kl=exact grpo.kl_coef=0.3 optimizer.learning_rate=4e-3",
      "grpo.reference_refresh=reset grpo.reference_refresh.every=3 grpo.updates_per_rollout=2 grpo.kl_coef=0.3 optimizer.eps=1e-5",
      "similarity=smooth similarity.depth=2 similarity.alpha=0.4 rollout.answers_per_question=5 training.seed=11",
      "similarity=loo_baseline similarity.pool=last similarity.context=prompt_and_response similarity.center=false similarity.tau=0.5"
          + " rollout.answers_per_question=5 training.seed=11 grpo.advantage=none",
      "similarity=smooth similarity.source=reference similarity.depth=3 rollout.answers_per_question=5 grpo.overlong=drop"
          + " rollout.max_new_tokens=17 optimizer.learning_rate=3e-3",
      "rollout.top_k=12 rollout.top_p=0.9 rollout.min_p=0.02 rollout.repetition_penalty=1.1 rollout.temperature=1.4 training.eval_samples=2",
      "training.recompute=layer training.micro_batch_tokens=90 grpo.reference_placement=host grpo.kl_coef=0.1 optimizer.learning_rate=2e-3",
      "training.shuffle_rewards=true training.seed=4", "reward.kind=penalty_fixed grpo.kl_coef=0.1 grpo.entropy_coef=0.03 reward.format_weight=0.3",
      "reward.kind=think_answer optimizer.weight_decay=0.2 grpo.entropy_coef=0.01",
      "data.train_limit=5 training.epochs=3 training.max_steps=0 rollout.questions_per_step=2 training.seed=9"
  })
  void theRunIsWhatTheRefereeFinds(String configuration) throws IOException {
    TestBackends.assumeCpu("the wiring knows nothing of the back end");
    check(List.of(configuration.split(" ")));
  }

  /** Counters, rates and moments go on where they stopped. */
  @ParameterizedTest
  @ValueSource(ints = {1, 4})
  void aResumedRunIsWhatTheRefereeFinds(int stop) throws IOException {
    TestBackends.assumeCpu("the wiring knows nothing of the back end");
    check(List.of("optimizer.schedule=cosine", "optimizer.warmup_steps=2", "grpo.updates_per_rollout=2", "grpo.kl_coef=0.1",
        "optimizer.weight_decay=0.1"), stop);
  }

  private void check(List<String> assignments, int... stops) throws IOException {
    Settings settings = new Settings(assignments);
    RefereedRun run = RefereedRun.of(settings.assignments(), folder.resolve("run"), stops);
    PlainModel before = PlainModel.read(BuiltinModels.resolve("builtin:tiny").resolve("model.safetensors"));
    PlainModel model = before.copy();
    PlainTrainer referee = new PlainTrainer(settings, model);
    int problems = settings.whole("data.train_limit");
    int batch = settings.whole("rollout.questions_per_step");
    int perEpoch = (problems + batch - 1) / batch;
    int planned = perEpoch * settings.whole("training.epochs");
    int total = settings.whole("training.max_steps") == 0 ? planned : Math.min(planned, settings.whole("training.max_steps"));
    assertEquals(total, run.steps.size(), "steps");
    double skipped = 0;
    for (int step = 1; step <= total; step++) {
      List<Sampled> sampled = run.steps.get(step - 1);
      checkOrder(sampled, Order.batch(problems, batch, (long) settings.number("training.seed"), step - 1),
          settings.whole("rollout.answers_per_question"));
      Map<String, Double> expected = referee.step(step, sampled, total, perEpoch);
      skipped += expected.getOrDefault("skipped_updates", 0.0);
      expected.put("skipped_updates", skipped);
      if (step % 3 == 0 || step == total) {
        putEvaluation(expected, run, step, settings);
      }
      checkMetrics(step, expected, run.metrics.get(step));
      PlainModel after = PlainModel.read(run.weights(step));
      assertUpdate("step " + step + " ", before, model, after);
      // AdamW makes steps of one size of gradients of any size, so rounding errors of a step would grow from step to step.
      referee.goOn(after);
      before = after;
    }
    assertTrue(referee.largestMismatch < 1e-4, "stored log-probs and entropies are off by " + referee.largestMismatch);
  }

  private static void putEvaluation(Map<String, Double> expected, RefereedRun run, int step, Settings settings) throws IOException {
    List<Sampled> greedy = run.evaluation(step, "eval_greedy");
    List<Sampled> sampled = run.evaluation(step, "eval_sampled");
    PlainRewards rewards = new PlainRewards(settings);
    Map<String, Double> rates = new LinkedHashMap<>();
    PlainReport.putRates(rates, "_greedy", greedy, rewards);
    PlainReport.putRates(rates, "_sampled", sampled, rewards);
    rates.forEach((name, rate) -> expected.put("eval/" + name, rate));
    expected.put("eval/completions/mean_length", greedy.stream().mapToInt(s -> s.tokens().length).average().orElseThrow());
    int[] buckets = PlainAdvantages.buckets(sampled.stream().mapToInt(s -> s.tokens().length).toArray());
    String[] names = {"short", "medium", "long"};
    for (int b = 0; b < names.length; b++) {
      int wanted = b;
      List<Sampled> members = IntStream.range(0, buckets.length).filter(i -> buckets[i] == wanted).mapToObj(sampled::get).toList();
      if (!members.isEmpty()) {
        Map<String, Double> ofBucket = new LinkedHashMap<>();
        PlainReport.putRates(ofBucket, "", members, rewards);
        expected.put("eval/accuracy_by_length/" + names[b], ofBucket.get("accuracy"));
      }
    }
  }

  /** The same names and values, but for those of the machine. */
  private static void checkMetrics(int step, Map<String, Double> expected, Map<String, Number> found) {
    Set<String> names = new TreeSet<>(found.keySet());
    names.removeIf(Metrics::isOfMachine);
    for (String mismatch : List.of("sampling/sampling_logp_difference/mean", "sampling/sampling_logp_difference/max")) {
      if (names.remove(mismatch)) {
        assertEquals(0, found.get(mismatch).doubleValue(), "step " + step + ": a processor decodes and trains with the same bits");
      }
    }
    assertEquals(new TreeSet<>(expected.keySet()), names, "metrics of step " + step);
    expected.forEach((name, value) ->
        assertEquals(value, found.get(name).doubleValue(), METRIC_ERROR * Math.max(1, Math.abs(value)), "step " + step + " " + name));
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
      assertTrue(Math.sqrt(apartHere) <= 5 * UPDATE_ERROR * Math.sqrt(movedHere) + 1e-9, where + name + " is off by " + Math.sqrt(apartHere / movedHere));
      moved += movedHere;
      apart += apartHere;
    }
    assertTrue(Math.sqrt(apart) <= UPDATE_ERROR * Math.sqrt(moved) + 1e-9, where + "the change of the weights is off by " + Math.sqrt(apart / moved));
  }
}
