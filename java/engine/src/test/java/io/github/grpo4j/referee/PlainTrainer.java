package io.github.grpo4j.referee;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** Replays the steps of a run from what they sampled: one completion after the other, nothing packed, nothing shared. */
final class PlainTrainer {
  private final Settings settings;
  private final PlainModel model;
  private final PlainModel reference;
  private final PlainAdamW optimizer;
  private final double temperature;
  private int optimizerSteps;
  private long tokens;
  /** Largest distance between a stored log-prob and that of the referee's model. */
  double largestMismatch;

  PlainTrainer(Settings settings, PlainModel start) {
    this.settings = settings;
    this.model = start;
    this.reference = start.copy();
    this.optimizer = new PlainAdamW(settings, model);
    this.temperature = settings.text("grpo.logprob_temperature").equals("one") ? 1 : settings.number("rollout.temperature");
  }

  private boolean usesKl() {
    return settings.number("grpo.kl_coef") != 0;
  }

  private boolean klInReward() {
    return usesKl() && !settings.text("grpo.kl").equals("exact") && settings.text("grpo.kl.where").equals("reward");
  }

  private boolean exact() {
    return usesKl() && settings.text("grpo.kl").equals("exact");
  }

  /** The present distributions of a completion's tokens. */
  private Distribution[] distributions(PlainModel.Trace trace, Sampled sampled, double at) {
    Distribution[] all = new Distribution[sampled.tokens().length];
    for (int t = 0; t < all.length; t++) {
      all[t] = new Distribution(trace.logits(sampled.prompt().length - 1 + t), sampled.tokens()[t], at);
    }
    return all;
  }

  private Distribution[] distributions(PlainModel of, Sampled sampled, double at) {
    return distributions(of.forward(sampled.ids()), sampled, at);
  }

  /** Trains on a step; returns its metrics. */
  Map<String, Double> step(int step, List<Sampled> sampled, int totalSteps, int stepsPerEpoch) {
    Map<String, Double> metrics = new LinkedHashMap<>();
    checkSampler(sampled);
    double[][] old = new double[sampled.size()][];
    double[][] oldEntropy = new double[sampled.size()][];
    Distribution[][] refs = new Distribution[sampled.size()][];
    for (int i = 0; i < sampled.size(); i++) {
      Sampled s = sampled.get(i);
      boolean rescored = temperature != settings.number("rollout.temperature");
      Distribution[] before = rescored ? distributions(model, s, temperature) : null;
      old[i] = rescored ? Arrays.stream(before).mapToDouble(d -> d.logprob).toArray() : s.logprobs();
      oldEntropy[i] = rescored ? Arrays.stream(before).mapToDouble(d -> d.entropy).toArray() : s.entropies();
      refs[i] = usesKl() ? distributions(reference, s, temperature) : null;
    }
    PlainRewards rewards = new PlainRewards(settings);
    double[][] parts = rewards.all(sampled);
    if (settings.is("training.shuffle_rewards")) {
      double[][] own = parts.clone();
      int[] dealt = Order.permutation(parts.length, (long) settings.number("training.seed"), step);
      Arrays.setAll(parts, i -> own[dealt[i]]);
    }
    double[] klSums = null;
    if (klInReward()) {
      klSums = new double[sampled.size()];
      for (int i = 0; i < klSums.length; i++) {
        for (int t = 0; t < old[i].length; t++) {
          klSums[i] += old[i][t] - refs[i][t].logprob;
        }
      }
    }
    PlainShaping shaped = new PlainShaping(settings, sampled, parts, rewards.weights(), features(sampled), klSums, metrics);
    double[] right = Arrays.stream(parts).mapToDouble(row -> row[0]).toArray();
    PlainAdvantages advantages = new PlainAdvantages(settings, sampled, shaped, right, metrics);
    PlainReport.rewards(metrics, parts, rewards.weights());
    PlainReport.rates(metrics, "", "", sampled, rewards);
    PlainReport.completions(metrics, sampled);
    update(metrics, sampled, advantages.values, shaped.masked, old, oldEntropy, refs, totalSteps);
    for (Sampled s : sampled) {
      tokens += s.prompt().length + s.tokens().length;
    }
    metrics.put("num_tokens", (double) tokens);
    metrics.put("epoch", (double) step / stepsPerEpoch);
    return metrics;
  }

  /** Share of right answers to each question, whatever is trained on. */
  double[] accuracies(List<Sampled> sampled) {
    double[][] parts = new PlainRewards(settings).all(sampled);
    int answers = settings.whole("rollout.answers_per_question");
    return IntStream.range(0, sampled.size() / answers)
        .mapToDouble(q -> IntStream.range(0, answers).mapToDouble(a -> parts[q * answers + a][0]).average().getAsDouble()).toArray();
  }

  /** Mean hidden states of the completions alone; null where nothing asks for them. */
  private double[][] features(List<Sampled> sampled) {
    String shaping = settings.text("grpo.shaping");
    if (!shaping.contains("similarity")) {
      return null;
    }
    PlainModel by = shaping.contains("reference") ? reference : model;
    int depth = (int) settings.shaping("depth", 1);
    return sampled.stream().map(s -> by.forward(s.tokens()).meanAfter(depth)).toArray(double[][]::new);
  }

  private void checkSampler(List<Sampled> sampled) {
    for (Sampled s : sampled) {
      Distribution[] drawn = distributions(model, s, settings.number("rollout.temperature"));
      for (int t = 0; t < drawn.length; t++) {
        drawn[t].checkKept(settings.whole("rollout.top_k"), settings.number("rollout.top_p"), settings.number("rollout.min_p"));
        largestMismatch = Math.max(largestMismatch, Math.abs(drawn[t].logprob - s.logprobs()[t]));
        largestMismatch = Math.max(largestMismatch, Math.abs(drawn[t].entropy - s.entropies()[t]));
      }
    }
  }

  private void update(Map<String, Double> metrics, List<Sampled> sampled, double[] advantages, boolean[] masked, double[][] old,
      double[][] oldEntropy, Distribution[][] refs, int totalSteps) {
    int answers = settings.whole("rollout.answers_per_question");
    int questions = sampled.size() / answers;
    int updates = Math.min(settings.whole("grpo.updates_per_rollout"), questions);
    int[] unmasked = IntStream.range(0, sampled.size()).filter(i -> !masked[i]).toArray();
    int[] bucketsOfUnmasked = PlainAdvantages.buckets(Arrays.stream(unmasked).map(i -> sampled.get(i).tokens().length).toArray());
    int[] buckets = new int[sampled.size()];
    for (int k = 0; k < unmasked.length; k++) {
      buckets[unmasked[k]] = bucketsOfUnmasked[k];
    }
    List<UpdateSums> all = new ArrayList<>();
    int before = optimizerSteps;
    for (int u = 0; u < updates; u++) {
      UpdateSums sums = new UpdateSums();
      Map<String, double[]> gradient = model.zeros();
      int from = questions * u / updates * answers;
      int to = questions * (u + 1) / updates * answers;
      List<Integer> in = new ArrayList<>();
      for (int i = from; i < to; i++) {
        if (!masked[i]) {
          in.add(i);
        }
      }
      double rate = PlainAdamW.rate(settings, optimizerSteps, totalSteps * settings.whole("grpo.updates_per_rollout"));
      metrics.put("learning_rate", rate);
      optimizerSteps++;
      if (in.isEmpty()) {
        metrics.merge("skipped_updates", 1.0, Double::sum);
        continue;
      }
      for (int i : in) {
        one(sums, gradient, sampled.get(i), advantages[i], old[i], oldEntropy[i], refs[i],
            weight(sampled, in, buckets, i));
      }
      sums.gradNorm = optimizer.step(gradient, rate);
      all.add(sums);
    }
    UpdateSums.put(metrics, all, usesKl() && !klInReward(), settings.number("grpo.entropy_coef") != 0,
        settings.text("grpo.clipping").equals("dynamic"));
    refresh(before);
  }

  private void one(UpdateSums sums, Map<String, double[]> gradient, Sampled s, double advantage, double[] old, double[] oldEntropy,
      Distribution[] refs, double weight) {
    boolean klInLoss = usesKl() && !klInReward();
    boolean run = advantage != 0 || klInLoss || settings.number("grpo.entropy_coef") != 0;
    PlainModel.Trace trace = run ? model.forward(s.ids()) : null;
    Distribution[] now = run ? distributions(trace, s, temperature) : null;
    double[] logprob = run ? Arrays.stream(now).mapToDouble(d -> d.logprob).toArray() : old;
    double[] entropy = run ? Arrays.stream(now).mapToDouble(d -> d.entropy).toArray() : oldEntropy;
    double[] ref = klInLoss ? Arrays.stream(refs).mapToDouble(d -> d.logprob).toArray() : null;
    double[] exactKl = null;
    if (exact()) {
      exactKl = new double[now.length];
      for (int t = 0; t < exactKl.length; t++) {
        exactKl[t] = now[t].kl(refs[t]);
      }
    }
    PlainLoss loss = new PlainLoss(settings, advantage, logprob, old, entropy, ref, exactKl);
    sums.add(loss, entropy, weight);
    if (run) {
      double[][] dLogits = new double[s.ids().length][];
      for (int t = 0; t < now.length; t++) {
        dLogits[s.prompt().length - 1 + t] = now[t].backward(
            weight * loss.dLogprob[t], weight * loss.dEntropy[t], weight * loss.dKl[t], refs == null ? null : refs[t]);
      }
      trace.backward(dLogits, gradient);
    }
  }

  /** Weight of each token of a completion. */
  private double weight(List<Sampled> sampled, List<Integer> in, int[] buckets, int i) {
    double all = 0;
    double[] ofBucket = new double[3];
    for (int j : in) {
      all += sampled.get(j).tokens().length;
      ofBucket[buckets[j]] += sampled.get(j).tokens().length;
    }
    long present = Arrays.stream(ofBucket).filter(count -> count > 0).count();
    return switch (settings.text("grpo.aggregation")) {
      case "sequence_mean" -> 1.0 / in.size() / sampled.get(i).tokens().length;
      case "sequence_sum" -> 1.0 / in.size();
      case "constant" -> 1.0 / in.size() / settings.whole("rollout.max_new_tokens");
      case "bucket_mean" -> 1.0 / present / ofBucket[buckets[i]];
      default -> 1 / all;
    };
  }

  private void refresh(int before) {
    String kind = settings.text("grpo.reference_refresh");
    int every = settings.whole("grpo.reference_refresh.every");
    if (!kind.equals("frozen") && before / every < optimizerSteps / every) {
      double share = kind.equals("reset") ? 1 : settings.number("grpo.reference_refresh.alpha");
      reference.weights.forEach((name, values) -> {
        for (int i = 0; i < values.length; i++) {
          values[i] = share * model.weights.get(name)[i] + (1 - share) * values[i];
        }
      });
    }
  }
}
