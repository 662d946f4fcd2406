package io.github.grpo4j.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * Keys of GRPO-Zero and its descendants that say the same things in other units: rows of a batch in place of answers per
 * question, rows of a micro-batch in place of tokens, one clip ratio for both sides.
 */
final class DerivedAliases {
  private static final String BATCH_SIZE = "training.batch_size";
  private static final String MICRO_BATCH_SIZE = "training.micro_batch_size";
  private static final String CLIP_RATIO = "training.clip_ratio";

  static final Set<String> NAMES = Set.of(BATCH_SIZE, MICRO_BATCH_SIZE, CLIP_RATIO);

  private DerivedAliases() {}

  /**
   * Replaces these keys among the settings.
   *
   * @param valueOf an option's value as it stands: given, or its default
   */
  static void resolve(Map<String, Setting> settings, Function<String, JsonNode> valueOf) {
    Setting rows = settings.remove(BATCH_SIZE);
    if (rows != null) {
      int questions = valueOf.apply("rollout.questions_per_step").asInt();
      derive(settings, rows, "rollout.answers_per_question", IntNode.valueOf((int) (rows.value().asDouble() / questions)));
    }
    Setting microRows = settings.remove(MICRO_BATCH_SIZE);
    if (microRows != null) {
      long longest = valueOf.apply("data.max_prompt_tokens").asLong() + valueOf.apply("rollout.max_new_tokens").asLong();
      derive(settings, microRows, "training.micro_batch_tokens",
          IntNode.valueOf((int) Math.min(Integer.MAX_VALUE, microRows.value().asDouble() * longest)));
    }
    Setting clip = settings.remove(CLIP_RATIO);
    if (clip != null) {
      derive(settings, clip, "grpo.clip_low", clip.value());
      derive(settings, clip, "grpo.clip_high", DoubleNode.valueOf(clip.value().asDouble()));
      if (clip.value().asDouble() == 0) {
        derive(settings, clip, "grpo.clipping", TextNode.valueOf("none"));
      }
    }
  }

  private static void derive(Map<String, Setting> settings, Setting source, String option, JsonNode value) {
    Setting present = settings.put(option, new Setting(value, source.place()));
    if (present != null) {
      throw new ConfigException(source.place() + ": this is another way to give " + option + ", which is also given at " + present.place());
    }
  }
}
