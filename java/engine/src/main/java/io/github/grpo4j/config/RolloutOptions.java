package io.github.grpo4j.config;

import io.github.grpo4j.options.Check;
import io.github.grpo4j.rollout.SamplingParams;

/**
 * How completions are sampled.
 *
 * @param questionsPerStep questions of one rollout
 * @param answersPerQuestion size of a group; 2 or more, as an advantage compares the completions to one question
 * @param maxNewTokens longest completion, its end-of-sequence token included
 * @param temperature of the policy: sampling and log-probs both use it
 * @param topK keep the k most likely tokens; 0: off
 * @param topP keep the smallest set of tokens with this mass; 1: off
 * @param minP keep tokens at least this fraction as likely as the most likely one; 0: off
 * @param repetitionPenalty divides the logits of earlier tokens; 1: off
 * @param maxBatch sequences decoded at once; 0: as many as the cache holds
 * @param kvCacheMb memory of the key and value cache in MiB; 0: as much as a step's episodes need
 */
public record RolloutOptions(
    int questionsPerStep,
    int answersPerQuestion,
    int maxNewTokens,
    double temperature,
    int topK,
    double topP,
    double minP,
    double repetitionPenalty,
    int maxBatch,
    int kvCacheMb) {
  static final RolloutOptions DEFAULTS = new RolloutOptions(32, 8, 1024, 1, 0, 1, 0, 1, 0, 0);

  public RolloutOptions {
    Check.atLeast(1, "rollout.questions_per_step", questionsPerStep);
    Check.atLeast(2, "rollout.answers_per_question", answersPerQuestion);
    Check.atLeast(1, "rollout.max_new_tokens", maxNewTokens);
    Check.that(temperature > 0 && Double.isFinite(temperature), "rollout.temperature", temperature,
        "above 0: a policy that always gives the same completion cannot be improved");
    Check.atLeast(0, "rollout.top_k", topK);
    Check.that(topP > 0 && topP <= 1, "rollout.top_p", topP, "above 0 and at most 1");
    Check.fraction("rollout.min_p", minP);
    Check.that(repetitionPenalty > 0 && Double.isFinite(repetitionPenalty), "rollout.repetition_penalty", repetitionPenalty, "above 0");
    Check.atLeast(0, "rollout.max_batch", maxBatch);
    Check.atLeast(0, "rollout.kv_cache_mb", kvCacheMb);
  }

  /** How the policy's completions are sampled. */
  public SamplingParams sampling() {
    return new SamplingParams((float) temperature, topK, (float) topP, (float) minP, (float) repetitionPenalty, maxNewTokens);
  }
}
