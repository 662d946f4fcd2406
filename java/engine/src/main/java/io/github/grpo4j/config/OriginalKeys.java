package io.github.grpo4j.config;

import com.fasterxml.jackson.core.JsonToken;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Keys of GRPO-Zero and of its GSM8K descendants that are no other names of single options: switches that choose a technique, the
 * numbers that belong to it, sizes in other units, and keys of services. What a switch turns on is our version of the technique, with the
 * original's numbers and without its defects (docs/config.md).
 */
final class OriginalKeys {
  private static final String WANDB = "wandb";
  /** Keys that choose or size something, and are consumed here. */
  private static final Set<String> SWITCHES = Set.of(
      "training.batch_size", "training.micro_batch_size", "training.clip_ratio", "training.use_dynamic_clipping", "training.epsilon_low",
      "training.epsilon_high", "training.use_kl_penalty", "training.kl_coeff", "training.use_length_grouping",
      "training.use_difficulty_sorting", "training.use_difficulty_grouping", "training.use_difficulty_aware_scaling",
      "training.difficulty_weight_min", "training.difficulty_weight_max", "training.use_similarity_weighting",
      "training.use_ref_for_similarity_weighting", "training.similarity_weighting_config", "training.skip_unfinished_episodes",
      "training.memory_efficient_adamw");
  /** Keys that are understood and have no effect, with the reason. */
  private static final Map<String, String> WITHOUT_EFFECT = Map.ofEntries(
      Map.entry("model.use_multi_gpu", "grpo4j trains on one device"),
      Map.entry("model.device_ids", "grpo4j trains on one device"),
      Map.entry("data.test_size", "evaluation uses data.eval_split; data.eval_limit takes the first so many of it"),
      Map.entry("training.log_dir", "metrics are written to the run directory"),
      Map.entry("training.eval_results_dir", "evaluations are written to the run directory, under eval/"),
      Map.entry("training.enable_prefix", "thinking prefixes need a file of prefixes and a training mode that this version does not have"),
      Map.entry("training.prefix_file", "this version does not train on thinking prefixes"),
      Map.entry("training.prefix_use_prob", "this version does not train on thinking prefixes"),
      Map.entry("training.prefix_dropout_prob", "this version does not train on thinking prefixes"),
      Map.entry("training.prefix_sft_coeff", "this version does not train on thinking prefixes"),
      Map.entry("training.prefix_teacher_model", "writing prefixes needs an account with a teacher's service; this version does not write them"));

  private final Map<String, GivenOption> settings;
  private final Function<String, String> valueOf;
  private final List<String> notes = new ArrayList<>();

  private OriginalKeys(Map<String, GivenOption> settings, Function<String, String> valueOf) {
    this.settings = settings;
    this.valueOf = valueOf;
  }

  static boolean isGroup(String name) {
    return name.equals(WANDB);
  }

  static boolean isSwitch(String name) {
    return SWITCHES.contains(name) || WITHOUT_EFFECT.containsKey(name) || name.startsWith(WANDB + ".");
  }

  /**
   * Replaces these keys among the settings by the options that they mean.
   *
   * @param valueOf text of an option's value as it stands: given, or its default
   * @return sentences on those that have no effect
   */
  static List<String> resolve(Map<String, GivenOption> settings, Function<String, String> valueOf) {
    return new OriginalKeys(settings, valueOf).resolve();
  }

  private List<String> resolve() {
    sizes();
    data();
    clipping();
    kl();
    groups();
    similarity();
    ifTrue("training.skip_unfinished_episodes", flag -> derive(flag, "grpo.overlong.kind", "drop"));
    ifTrue("training.memory_efficient_adamw", flag -> derive(flag, "optimizer.placement", "offload"));
    withoutEffect();
    return notes;
  }

  private void sizes() {
    GivenOption rows = settings.remove("training.batch_size");
    if (rows != null) {
      double questions = Double.parseDouble(valueOf.apply("rollout.questions_per_step"));
      derive(rows, "rollout.answers_per_question", Integer.toString((int) (number(rows) / questions)));
    }
    GivenOption microRows = settings.remove("training.micro_batch_size");
    if (microRows != null) {
      double longest = Double.parseDouble(valueOf.apply("data.max_prompt_tokens")) + Double.parseDouble(valueOf.apply("rollout.max_new_tokens"));
      derive(microRows, "training.micro_batch_tokens", Integer.toString((int) Math.min(Integer.MAX_VALUE, number(microRows) * longest)));
    }
  }

  /** A path without a kind is a data set of the original's, GSM8K. */
  private void data() {
    GivenOption path = settings.get("data.path");
    if (path != null && !settings.containsKey("data.kind") && path.value() instanceof YamlNode.Scalar text && !text.text().isBlank()) {
      settings.put("data.kind", new GivenOption(text("gsm8k", path), path.place(), path.name()));
    }
  }

  private void clipping() {
    GivenOption dynamic = settings.remove("training.use_dynamic_clipping");
    GivenOption low = settings.remove("training.epsilon_low");
    GivenOption high = settings.remove("training.epsilon_high");
    GivenOption ratio = settings.remove("training.clip_ratio");
    if (dynamic != null && isTrue(dynamic)) {
      derive(dynamic, "grpo.surrogate.kind", "dynamic");
      derive(low == null ? dynamic : low, "grpo.surrogate.low", low == null ? "0.2" : shown(number(low)));
      derive(high == null ? dynamic : high, "grpo.surrogate.high", high == null ? "0.2" : shown(number(high)));
      derive(dynamic, "grpo.surrogate.cap", "0");
      derive(dynamic, "grpo.surrogate.dual_clip", "0");
    } else if (ratio != null) {
      double range = number(ratio);
      derive(ratio, "grpo.surrogate.kind", range == 0 ? "none" : "ppo");
      if (range != 0) {
        derive(ratio, "grpo.surrogate.low", shown(range));
        derive(ratio, "grpo.surrogate.high", shown(range));
      }
    }
  }

  private void kl() {
    GivenOption coef = settings.remove("training.kl_coeff");
    GivenOption penalty = settings.remove("training.use_kl_penalty");
    if (penalty != null && isTrue(penalty)) {
      derive(penalty, "grpo.kl.kind", "exact");
      derive(coef == null ? penalty : coef, "grpo.kl.coef", coef == null ? "0" : shown(number(coef)));
    }
  }

  private void groups() {
    ifTrue("training.use_length_grouping", flag -> derive(flag, "grpo.grouping.kind", "length_bucket"));
    ifTrue("training.use_difficulty_sorting", flag -> derive(flag, "data.curriculum.kind", "easy_to_hard"));
    ifTrue("training.use_difficulty_grouping", flag -> derive(flag, "data.curriculum.kind", "easy_to_hard"));
    GivenOption least = settings.remove("training.difficulty_weight_min");
    GivenOption most = settings.remove("training.difficulty_weight_max");
    ifTrue("training.use_difficulty_aware_scaling", flag -> {
      derive(flag, "grpo.weighting.kind", "additive");
      if (least != null) {
        derive(least, "grpo.weighting.min", shown(number(least)));
      }
      if (most != null) {
        derive(most, "grpo.weighting.max", shown(number(most)));
      }
    });
  }

  /** The technique is one element of a list, so its keys are put together here. */
  private void similarity() {
    GivenOption config = settings.remove("training.similarity_weighting_config");
    GivenOption reference = settings.remove("training.use_ref_for_similarity_weighting");
    GivenOption flag = settings.remove("training.use_similarity_weighting");
    if (flag == null || !isTrue(flag)) {
      return;
    }
    Map<String, String> keys = new HashMap<>(Map.of("depth", "4", "tau", "1.0", "alpha", "0.1"));
    List<YamlNode.Entry> entries = new ArrayList<>();
    if (config != null) {
      if (!(config.value() instanceof YamlNode.Entries given)) {
        throw new ConfigException(config.place() + ": " + config.name() + " is a group of depth, tau and alpha");
      }
      for (YamlNode.Entry entry : given.entries()) {
        if (!keys.containsKey(entry.key())) {
          throw new ConfigException(entry.place() + ": unknown key \"" + config.name() + "." + entry.key() + "\"; the keys are depth, tau, alpha");
        }
        entries.add(entry);
        keys.remove(entry.key());
      }
    }
    keys.forEach((key, value) -> entries.add(new YamlNode.Entry(key, text(value, flag), flag.place())));
    entries.add(0, new YamlNode.Entry(ConfigJson.KIND, text("similarity", flag), flag.place()));
    if (reference != null && isTrue(reference)) {
      entries.add(new YamlNode.Entry("source", text("reference", reference), reference.place()));
    }
    put(flag, "grpo.shaping", new YamlNode.Items(List.of(new YamlNode.Entries(entries, flag.place())), flag.place()));
  }

  private void withoutEffect() {
    List<String> given = settings.keySet().stream().filter(OriginalKeys::isSwitch).toList();
    List<String> wandb = new ArrayList<>();
    for (String name : given) {
      GivenOption setting = settings.remove(name);
      if (name.startsWith(WANDB + ".")) {
        wandb.add(name);
      } else if (!isFalse(setting)) {
        notes.add(setting.place() + ": " + name + " has no effect: " + WITHOUT_EFFECT.get(name));
      }
    }
    if (!wandb.isEmpty()) {
      notes.add(String.join(", ", wandb) + ": Weights & Biases needs an account and a tracker that this version does not have;"
          + " metrics are written to metrics.jsonl in the run directory");
    }
  }

  private void ifTrue(String name, Consumer<GivenOption> action) {
    GivenOption setting = settings.remove(name);
    if (setting != null && isTrue(setting)) {
      action.accept(setting);
    }
  }

  private void derive(GivenOption source, String option, String value) {
    put(source, option, text(value, source));
  }

  private void put(GivenOption source, String option, YamlNode value) {
    GivenOption present = settings.put(option, new GivenOption(value, source.place(), source.name()));
    if (present != null && !present.place().startsWith(Presets.KEY)) {
      throw new ConfigException(source.place() + ": this is another way to give " + present.name() + ", which is also given at " + present.place());
    }
  }

  private static YamlNode text(String value, GivenOption source) {
    return new YamlNode.Scalar(JsonToken.VALUE_STRING, value, source.place());
  }

  private static double number(GivenOption setting) {
    if (!(setting.value() instanceof YamlNode.Scalar scalar)) {
      throw new ConfigException(setting.place() + ": " + setting.name() + " is one value, not a list or a group");
    }
    return ValueReader.number(scalar, setting.name());
  }

  private static String shown(double value) {
    return Double.toString(value).toLowerCase(Locale.ROOT);
  }

  private static boolean isTrue(GivenOption setting) {
    if (setting.value() instanceof YamlNode.Scalar scalar
        && (scalar.token() == JsonToken.VALUE_TRUE || scalar.token() == JsonToken.VALUE_FALSE || scalar.isEmpty())) {
      return scalar.token() == JsonToken.VALUE_TRUE;
    }
    throw new ConfigException(setting.place() + ": " + setting.name() + " must be true or false");
  }

  private static boolean isFalse(GivenOption setting) {
    return setting.value() instanceof YamlNode.Scalar scalar && (scalar.token() == JsonToken.VALUE_FALSE || scalar.isEmpty());
  }
}
