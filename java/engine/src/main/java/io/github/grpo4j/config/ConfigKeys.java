package io.github.grpo4j.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.backend.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The names of all options, as {@code group.key}, with the defaults that say their types. */
final class ConfigKeys {
  /** Names of the same options in the configurations of GRPO-Zero and its GSM8K descendants. */
  private static final Map<String, String> ALIASES = Map.ofEntries(
      Map.entry("model.pretrained_model_path", "model.path"),
      Map.entry("model.device", "backend.device"),
      Map.entry("training.random_seed", "training.seed"),
      Map.entry("training.max_prompt_len", "data.max_prompt_tokens"),
      Map.entry("training.max_gen_len", "rollout.max_new_tokens"),
      Map.entry("training.num_questions_per_batch", "rollout.questions_per_step"),
      Map.entry("training.temperature", "rollout.temperature"),
      Map.entry("training.num_epochs", "training.epochs"),
      Map.entry("training.learning_rate", "optimizer.learning_rate"),
      Map.entry("training.betas", "optimizer.betas"),
      Map.entry("training.weight_decay", "optimizer.weight_decay"),
      Map.entry("training.max_grad_norm", "optimizer.max_grad_norm"),
      Map.entry("training.ckpt_save_interval", "training.checkpoint_interval"));

  private final ObjectNode defaults;

  ConfigKeys(ObjectNode defaults) {
    this.defaults = defaults;
  }

  boolean isGroup(String name) {
    return defaults.has(name);
  }

  /** The option that a name means, or the same name if it is no alias. */
  String canonical(String name) {
    return ALIASES.getOrDefault(name, name);
  }

  /** The value that another way to write it means. */
  String canonicalValue(String option, String value) {
    return "model.dtype".equals(option) ? DType.storage(value).map(DType::optionName).orElse(value) : value;
  }

  /** The default of {@code group.key}, or null if there is no such option. */
  JsonNode defaultOf(String option) {
    int dot = option.indexOf('.');
    return dot < 0 ? null : defaults.path(option.substring(0, dot)).get(option.substring(dot + 1));
  }

  /** " Did you mean rollout.temperature?", or the keys of the group if nothing is near. */
  String suggestion(String unknown) {
    String key = unknown.substring(unknown.indexOf('.') + 1);
    String group = unknown.substring(0, Math.max(0, unknown.indexOf('.')));
    String best = null;
    int bestDistance = Integer.MAX_VALUE;
    for (String option : options()) {
      int dot = option.indexOf('.');
      // A key in the wrong group is a nearer miss than a misspelt one: only the key counts, and the group decides ties.
      int distance = 2 * editDistance(key, option.substring(dot + 1)) + (option.substring(0, dot).equals(group) ? 0 : 1);
      if (distance < bestDistance) {
        bestDistance = distance;
        best = option;
      }
    }
    if (bestDistance <= Math.max(2, key.length())) {
      return "did you mean " + best + "?";
    }
    return "the keys of " + group + " are " + String.join(", ", keys(group));
  }

  /** For an unknown group. */
  String groupSuggestion(String unknown) {
    String best = null;
    for (String group : groups()) {
      best = best == null || editDistance(unknown, group) < editDistance(unknown, best) ? group : best;
    }
    boolean near = editDistance(unknown, best) <= 2;
    return near ? "did you mean " + best + "?" : "the groups are " + String.join(", ", groups());
  }

  List<String> groups() {
    List<String> groups = new ArrayList<>();
    defaults.fieldNames().forEachRemaining(groups::add);
    return groups;
  }

  private List<String> keys(String group) {
    List<String> keys = new ArrayList<>();
    defaults.path(group).fieldNames().forEachRemaining(keys::add);
    return keys;
  }

  List<String> options() {
    List<String> options = new ArrayList<>();
    groups().forEach(group -> keys(group).forEach(key -> options.add(group + "." + key)));
    return options;
  }

  /** Levenshtein distance: insertions, deletions and substitutions of one character. */
  static int editDistance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int substituted = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(substituted, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
