package io.github.grpo4j.config;

import java.util.Collection;
import java.util.List;

/** Hints for names that do not exist. */
final class Suggestions {
  private Suggestions() {}

  /**
   * "did you mean rollout.temperature?", or the keys of the group if nothing is near.
   *
   * @param options all options as {@code group.key}
   */
  static String forOption(String unknown, List<String> options) {
    String key = unknown.substring(unknown.indexOf('.') + 1);
    String group = unknown.substring(0, Math.max(0, unknown.indexOf('.')));
    String best = null;
    int bestDistance = Integer.MAX_VALUE;
    for (String option : options) {
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
    return "the keys of " + group + " are "
        + String.join(", ", options.stream().filter(option -> option.startsWith(group + ".")).map(option -> option.substring(group.length() + 1)).toList());
  }

  /** "did you mean NAME?", or all names. */
  static String among(String unknown, Collection<String> names, String all) {
    String best = null;
    for (String name : names) {
      best = best == null || editDistance(unknown, name) < editDistance(unknown, best) ? name : best;
    }
    boolean near = best != null && editDistance(unknown, best) <= 2;
    return near ? "did you mean " + best + "?" : all + (names.isEmpty() ? " none" : " " + String.join(", ", names));
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
