package io.github.grpo4j.referee;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Options of a refereed run by the flat names, with the referee's own table of defaults. */
final class Settings {
  private static final Map<String, String> DEFAULTS = Map.ofEntries(
      Map.entry("rollout.questions_per_step", "2"), Map.entry("rollout.answers_per_question", "3"), Map.entry("rollout.max_new_tokens", "20"),
      Map.entry("rollout.temperature", "1.0"), Map.entry("reward.kind", "gsm8k"), Map.entry("reward.format_weight", "0.1"),
      Map.entry("grpo.advantage", "group"), Map.entry("grpo.std", "population"), Map.entry("grpo.advantage_eps", "1e-4"),
      Map.entry("grpo.updates_per_rollout", "1"), Map.entry("grpo.clipping", "ppo"), Map.entry("grpo.clip_low", "0.2"),
      Map.entry("grpo.clip_high", "0.2"), Map.entry("grpo.ratio_cap", "0"), Map.entry("grpo.dual_clip", "0"),
      Map.entry("grpo.importance_level", "token"), Map.entry("grpo.aggregation", "token_mean"), Map.entry("grpo.kl", "k3"),
      Map.entry("grpo.kl_coef", "0"), Map.entry("grpo.kl_times_ratio", "true"), Map.entry("grpo.kl.where", "loss"),
      Map.entry("grpo.entropy_coef", "0"), Map.entry("grpo.weighting", "none"), Map.entry("grpo.grouping", "question"),
      Map.entry("grpo.overlong", "keep"), Map.entry("grpo.logprob_temperature", "match"), Map.entry("grpo.reference_refresh", "frozen"),
      Map.entry("grpo.reference_refresh.every", "512"), Map.entry("grpo.reference_refresh.alpha", "0.6"),
      Map.entry("optimizer.learning_rate", "5e-4"), Map.entry("optimizer.betas", "[0.9, 0.99]"), Map.entry("optimizer.eps", "1e-4"),
      Map.entry("optimizer.weight_decay", "0"), Map.entry("optimizer.max_grad_norm", "1"), Map.entry("optimizer.schedule", "constant"),
      Map.entry("optimizer.warmup_steps", "0"), Map.entry("optimizer.min_lr_ratio", "0"), Map.entry("training.seed", "0"),
      Map.entry("training.epochs", "1"), Map.entry("training.max_steps", "6"), Map.entry("training.shuffle_rewards", "false"),
      Map.entry("data.train_limit", "40"), Map.entry("data.curriculum", "none"), Map.entry("rollout.repetition_penalty", "1"),
      Map.entry("grpo.reference_placement", "device"), Map.entry("grpo.shaping", "[]"),
      Map.entry("rollout.top_k", "0"), Map.entry("rollout.top_p", "1"), Map.entry("rollout.min_p", "0"), Map.entry("rollout.max_batch", "0"),
      Map.entry("training.recompute", "none"), Map.entry("training.micro_batch_tokens", "160"), Map.entry("training.eval_interval", "3"),
      Map.entry("training.eval_samples", "1"), Map.entry("data.eval_limit", "3"), Map.entry("optimizer.placement", "device"));

  /** Keys of single kinds, which the others do not have. */
  private static final Map<String, String> OF_KINDS = Map.ofEntries(
      Map.entry("grpo.surrogate.low_floor", "0.5"), Map.entry("grpo.surrogate.cap", "10"), Map.entry("grpo.overlong.buffer", "0"),
      Map.entry("grpo.overlong.factor", "1"), Map.entry("grpo.grouping.min_bucket", "4"), Map.entry("grpo.grouping.scope", "step"),
      Map.entry("grpo.weighting.measure", "accuracy"), Map.entry("grpo.weighting.min", ""), Map.entry("grpo.weighting.max", ""),
      Map.entry("grpo.weighting.renormalize", "false"), Map.entry("grpo.weighting.gamma", "0.5"), Map.entry("grpo.weighting.slope", "10"),
      Map.entry("grpo.weighting.midpoint", "0.75"), Map.entry("grpo.weighting.temperature", "2"));

  private final Map<String, String> given = new LinkedHashMap<>();

  /** @param assignments {@code name=value} */
  Settings(List<String> assignments) {
    for (String assignment : assignments) {
      int equals = assignment.indexOf('=');
      String name = assignment.substring(0, equals);
      if (!DEFAULTS.containsKey(name) && !OF_KINDS.containsKey(name)) {
        throw new IllegalArgumentException("the referee does not know " + name);
      }
      given.put(name, assignment.substring(equals + 1));
    }
  }

  String text(String name) {
    return given.getOrDefault(name, DEFAULTS.getOrDefault(name, OF_KINDS.get(name)));
  }

  double number(String name) {
    return Double.parseDouble(text(name));
  }

  /** A key whose default depends on the kind. */
  double number(String name, double otherwise) {
    return text(name).isEmpty() ? otherwise : number(name);
  }

  /** A key of the kind in the list {@code grpo.shaping}, written as JSON; true is 1. */
  double shaping(String key, double otherwise) {
    Matcher value = Pattern.compile("\"" + key + "\":([^,}]+)").matcher(text("grpo.shaping"));
    if (!value.find()) {
      return otherwise;
    }
    return value.group(1).equals("false") ? 0 : Double.parseDouble(value.group(1));
  }

  int whole(String name) {
    return Integer.parseInt(text(name));
  }

  boolean is(String name) {
    return Boolean.parseBoolean(text(name));
  }

  /** Element of a list of numbers. */
  double element(String name, int index) {
    return Double.parseDouble(text(name).replaceAll("[\\[\\] ]", "").split(",")[index]);
  }

  /** Everything that the engine must be told, defaults included, so that its own defaults play no part. */
  List<String> assignments() {
    Map<String, String> all = new LinkedHashMap<>(new TreeMap<>(DEFAULTS));
    all.putAll(given);
    if (!text("grpo.reference_refresh").equals("mix")) {
      all.remove("grpo.reference_refresh.alpha");
    }
    if (text("grpo.reference_refresh").equals("frozen")) {
      all.remove("grpo.reference_refresh.every");
    }
    if (text("grpo.kl").equals("exact")) {
      all.remove("grpo.kl.where");
    }
    return all.entrySet().stream().map(entry -> entry.getKey() + "=" + entry.getValue()).toList();
  }
}
