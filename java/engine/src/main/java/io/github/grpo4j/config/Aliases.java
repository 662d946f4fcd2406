package io.github.grpo4j.config;

import io.github.grpo4j.backend.DType;
import java.util.Map;

/**
 * Other names of options: flat names of the keys of a choice ({@code grpo.clip_low}), and names in the configurations of GRPO-Zero and
 * its GSM8K descendants. {@link OriginalKeys} has those that say the same things in other units.
 */
final class Aliases {
  private static final Map<String, String> OPTIONS = Map.ofEntries(
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
      Map.entry("training.ckpt_save_interval", "training.checkpoint_interval"),
      Map.entry("training.ckpt_dir", "training.run_dir"));

  /** Keys of a choice. Not every kind has them: where the chosen one does not, they say nothing. */
  private static final Map<String, String> COMPONENTS = Map.ofEntries(
      Map.entry("reward.kind", "reward.function.kind"),
      Map.entry("reward.format_weight", "reward.function.format_weight"),
      Map.entry("grpo.std", "grpo.advantage.std"),
      Map.entry("grpo.advantage_eps", "grpo.advantage.eps"),
      Map.entry("grpo.clipping", "grpo.surrogate.kind"),
      Map.entry("grpo.clip_low", "grpo.surrogate.low"),
      Map.entry("grpo.clip_high", "grpo.surrogate.high"),
      Map.entry("grpo.ratio_cap", "grpo.surrogate.ratio_cap"),
      Map.entry("grpo.dual_clip", "grpo.surrogate.dual_clip"),
      Map.entry("grpo.importance_level", "grpo.surrogate.level"),
      Map.entry("grpo.kl_coef", "grpo.kl.coef"),
      Map.entry("grpo.kl_times_ratio", "grpo.kl.times_ratio"));

  private Aliases() {}

  /** The option that a name means, or the same name if it is no alias. */
  static String canonical(String name) {
    return OPTIONS.getOrDefault(name, COMPONENTS.getOrDefault(name, name));
  }

  /** True if the key is left out where the chosen kind lacks it. */
  static boolean isLenient(String name) {
    return COMPONENTS.containsKey(name);
  }

  /** A value by the name that configurations are written with: {@code bf16} for {@code bfloat16}. */
  static String canonicalValue(String option, String value) {
    return option.equals("model.dtype") ? DType.storage(value).map(DType::optionName).orElse(value) : value;
  }
}
