package io.github.grpo4j.referee;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Rewards read from the text anew, as far as the built-in model can write: whole numbers after {@code ####}, and no tags. */
final class PlainRewards {
  private static final Pattern LAST_LINE = Pattern.compile("(?s)(?:.*\n)?#### (-?[0-9,]+)");

  private final Settings settings;

  PlainRewards(Settings settings) {
    this.settings = settings;
  }

  /** Answer and format part. */
  double[] parts(Sampled sampled) {
    return switch (settings.text("reward.kind")) {
      case "gsm8k" -> {
        Matcher line = LAST_LINE.matcher(sampled.response());
        boolean formed = sampled.finished() && line.matches();
        boolean right = formed && Long.parseLong(line.group(1).replace(",", "")) == Long.parseLong(sampled.gold().replace(",", ""));
        yield new double[] {right ? 1 : 0, formed ? 1 : 0};
      }
      case "penalty_fixed" -> new double[] {0, -0.6};
      case "think_answer", "boxed", "original_v1", "original_v2" -> new double[] {0, 0};
      default -> throw new IllegalArgumentException(settings.text("reward.kind"));
    };
  }

  /** Strict accuracy and format, whatever they are worth; the built-in model writes what one reward alone reads. */
  double[] verdict(Sampled sampled) {
    return settings.text("reward.kind").equals("gsm8k") ? parts(sampled) : new double[] {0, 0};
  }

  double[] weights() {
    return new double[] {1, switch (settings.text("reward.kind")) {
      case "penalty_fixed", "original_v2" -> 1;
      case "original_v1" -> 0.1;
      default -> settings.number("reward.format_weight");
    }};
  }

  double[][] all(List<Sampled> step) {
    return step.stream().map(this::parts).toArray(double[][]::new);
  }

  static double total(double[] parts, double[] weights) {
    double total = 0;
    for (int f = 0; f < parts.length; f++) {
      total += parts[f] * weights[f];
    }
    return total;
  }
}
