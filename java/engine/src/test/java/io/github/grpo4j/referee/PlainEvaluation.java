package io.github.grpo4j.referee;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** An evaluation of the run, looked at with the referee's model and reward. */
final class PlainEvaluation {
  private static final double LOGIT_ERROR = 1e-3;
  private final Settings settings;
  private final PlainModel model;

  PlainEvaluation(Settings settings, PlainModel model) {
    this.settings = settings;
    this.model = model;
  }

  boolean isDue(int step, int total) {
    int interval = settings.whole("training.eval_interval");
    return interval > 0 && (step % interval == 0 || step == total);
  }

  /**
   * Adds what the evaluation's metrics must be.
   *
   * @param rollouts the greedy one, and the sampled one where there is one
   */
  void check(List<List<Sampled>> rollouts, Map<String, Double> metrics) {
    int samples = settings.whole("training.eval_samples");
    int problems = settings.whole("data.eval_limit");
    assertEquals(samples > 0 ? 2 : 1, rollouts.size(), "rollouts of an evaluation");
    List<Sampled> greedy = rollouts.get(0);
    assertEquals(problems, greedy.size(), "greedy answers");
    for (Sampled answer : greedy) {
      PlainModel.Trace trace = model.forward(answer.ids());
      for (int t = 0; t < answer.tokens().length; t++) {
        Distribution at = new Distribution(trace.logits(answer.prompt().length - 1 + t), answer.tokens()[t], 1);
        assertTrue(at.mostLikely() - at.logprob < LOGIT_ERROR, "a greedy answer took a token that is not the likeliest");
        assertEquals(at.logprob, answer.logprobs()[t], LOGIT_ERROR, "log-prob of a greedy token");
      }
    }
    PlainReport.rates(metrics, "eval/", "_greedy", greedy, new PlainRewards(settings));
    metrics.put("eval/completions/mean_length", greedy.stream().mapToInt(answer -> answer.tokens().length).average().getAsDouble());
    List<Sampled> byLength = greedy;
    if (samples > 0) {
      byLength = rollouts.get(1);
      assertEquals(problems * samples, byLength.size(), "sampled answers");
      for (Sampled answer : byLength) {
        PlainModel.Trace trace = model.forward(answer.ids());
        for (int t = 0; t < answer.tokens().length; t++) {
          double[] logits = trace.logits(answer.prompt().length - 1 + t);
          double logprob = new Distribution(logits, answer.tokens()[t], settings.number("rollout.temperature")).logprob;
          assertEquals(logprob, answer.logprobs()[t], LOGIT_ERROR, "an answer is drawn at the temperature of the rollout");
        }
      }
      PlainReport.rates(metrics, "eval/", "_sampled", byLength, new PlainRewards(settings));
    }
    int[] buckets = PlainAdvantages.buckets(byLength.stream().mapToInt(answer -> answer.tokens().length).toArray());
    for (int b = 0; b < 3; b++) {
      List<Sampled> members = new ArrayList<>();
      for (int i = 0; i < buckets.length; i++) {
        if (buckets[i] == b) {
          members.add(byLength.get(i));
        }
      }
      if (!members.isEmpty()) {
        metrics.put("eval/accuracy_by_length/" + List.of("short", "medium", "long").get(b), accuracy(members));
      }
    }
  }

  private double accuracy(List<Sampled> answers) {
    PlainRewards rewards = new PlainRewards(settings);
    return answers.stream().mapToDouble(answer -> rewards.verdict(answer)[0]).average().getAsDouble();
  }
}
