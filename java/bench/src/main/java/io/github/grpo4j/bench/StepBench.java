package io.github.grpo4j.bench;

import io.github.grpo4j.grpo.loss.LossPipeline;
import io.github.grpo4j.grpo.loss.aggregation.TokenMean;
import io.github.grpo4j.grpo.loss.surrogate.PpoClip;
import io.github.grpo4j.grpo.loss.term.PolicyTerm;
import io.github.grpo4j.memory.MachineMemory;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.rollout.Generator;
import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.rollout.RolloutRequest;
import io.github.grpo4j.rollout.SamplingParams;
import io.github.grpo4j.update.Experience;
import io.github.grpo4j.update.GradientPass;
import io.github.grpo4j.update.PolicyUpdate;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Speed and memory of a whole GRPO step: the completions of some prompts are sampled (a prompt is prefilled once and shared by its
 * group), then one on-policy update by all of them: forward, backward, global-norm clip, AdamW with fp32 masters.
 *
 * <p>No completion ends early, and advantages are +1 and -1 in turn, so nothing is skipped. The update moves the weights by a
 * learning rate of 1e-6, as training does.
 */
public final class StepBench {
  /**
   * @param group completions to each prompt, an even number so that good and bad ones are balanced
   * @param microBatchTokens tokens that go through the model at once
   * @param repeats that the median is taken of
   */
  public record Shape(
      int prompts, int group, int promptTokens, int newTokens, int microBatchTokens, CausalLm.Recompute recompute, int repeats) {
    public Shape {
      Workload.require(prompts >= 1, "the number of prompts", prompts, "at least 1");
      Workload.require(group >= 2 && group % 2 == 0, "the group size", group, "an even number");
      Workload.require(promptTokens >= 1, "the number of prompt tokens", promptTokens, "at least 1");
      Workload.require(newTokens >= 1, "the number of new tokens", newTokens, "at least 1");
      Workload.require(microBatchTokens >= 1, "the micro-batch", microBatchTokens, "at least 1 token");
      Workload.require(repeats >= 1, "the number of repeats", repeats, "at least 1");
    }

    public int sequenceTokens() {
      return promptTokens + newTokens;
    }

    int episodes() {
      return prompts * group;
    }
  }

  /**
   * Medians over the repeats.
   *
   * @param rolloutTokensPerSecond new tokens over the time of the whole rollout, its prefill included
   * @param trainTokensPerSecond prompt and new tokens of all completions over the time of the update: a prompt counts for each of
   *     its completions, as elsewhere, although it is computed once for the group
   * @param peakResidentBytes of this process so far, loading included; {@link MachineMemory#UNKNOWN} where nobody knows
   * @param tensorBytes of the device that weights, cache, activations, gradients and optimizer state take together
   */
  public record Result(
      double rolloutTokensPerSecond, double trainTokensPerSecond, double stepSeconds, long peakResidentBytes, long tensorBytes) {}

  private static final double LEARNING_RATE = 1e-6;

  private StepBench() {}

  /**
   * Runs one step for warm-up and then the repeats. The weights are changed.
   *
   * @param model opened for at least {@link Shape#sequenceTokens} positions
   */
  public static Result measure(CausalLm model, Shape shape) {
    ModelWeights weights = model.weights();
    List<RolloutRequest> requests = Workload.requests(model.config(), shape.prompts(), shape.promptTokens(), shape.group());
    double[] advantages = new double[shape.episodes()];
    for (int i = 0; i < advantages.length; i++) {
      advantages[i] = i % 2 == 0 ? 1 : -1;
    }
    SamplingParams sampling = SamplingParams.atTemperature(1, shape.newTokens());
    Generator.Limits limits = Generator.Limits.of(shape.episodes(), shape.sequenceTokens());
    List<Double> rolloutRates = new ArrayList<>();
    List<Double> trainRates = new ArrayList<>();
    List<Double> steps = new ArrayList<>();
    try (Generator generator = new Generator(model, limits, Set.of(), model.config().vocabSize(), ids -> "");
        Gradients gradients = new Gradients(model.backend(), weights);
        AdamW optimizer = new AdamW(model.backend(), weights, new AdamW.Settings(0.9, 0.99, 1e-8, 0, false, 1));
        GradientPass pass = new GradientPass(model, Math.min(shape.microBatchTokens(), shape.episodes() * shape.sequenceTokens()),
            shape.sequenceTokens(), shape.recompute())) {
      PolicyUpdate update = new PolicyUpdate(pass, gradients, optimizer, loss(), sampling.temperature(), shape.newTokens());
      for (int step = 0; step <= shape.repeats(); step++) {
        long start = System.nanoTime();
        Generator.Rollout rollout = generator.generate(requests, sampling, 0, step, RolloutListener.NONE);
        long rolledOut = System.nanoTime();
        PolicyUpdate.Result updated = update.step(Experience.of(rollout.episodes(), advantages), LEARNING_RATE, true);
        model.backend().synchronize();
        long done = System.nanoTime();
        if (step > 0) {
          rolloutRates.add(rollout.stats().newTokens() / seconds(start, rolledOut));
          trainRates.add(updated.trainedTokens() / seconds(rolledOut, done));
          steps.add(seconds(start, done));
        }
      }
      return new Result(Workload.median(rolloutRates), Workload.median(trainRates), Workload.median(steps), MachineMemory.peakResidentBytes(),
          model.backend().allocatedBytes());
    }
  }

  /** The token mean with symmetric clipping, without KL. */
  private static LossPipeline loss() {
    return new LossPipeline(List.of(new PolicyTerm(new PpoClip(0.2, 0.2))), new TokenMean());
  }

  private static double seconds(long from, long to) {
    return (to - from) * 1e-9;
  }
}
