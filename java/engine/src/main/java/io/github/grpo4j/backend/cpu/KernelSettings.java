package io.github.grpo4j.backend.cpu;

import io.github.grpo4j.backend.AdamWSettings;
import io.github.grpo4j.backend.SamplingSettings;
import io.github.grpo4j.backend.TokenLoss;

/**
 * The C structs that some ops take, one of each kind, filled only when the settings change: a step makes many calls with the
 * same settings, and every field is a call through JNI. They lie in host memory for every back end.
 */
public final class KernelSettings implements AutoCloseable {
  private final CpuOps.g4_token_loss lossStruct = new CpuOps.g4_token_loss();
  private final CpuOps.g4_sampling samplingStruct = new CpuOps.g4_sampling();
  private final CpuOps.g4_adamw_settings adamwStruct = new CpuOps.g4_adamw_settings();
  private TokenLoss loss;
  private SamplingSettings sampling;
  private AdamWSettings adamw;

  public CpuOps.g4_token_loss of(TokenLoss settings) {
    if (!settings.equals(loss)) {
      lossStruct.kind(settings.kind().code()).kl_kind(settings.kl().code())
          .kl_times_ratio(settings.klTimesRatio() ? 1 : 0).kl_coef(settings.klCoef()).entropy_coef(settings.entropyCoef())
          .ratio_cap(settings.ratioCap()).dual_clip(settings.dualClip());
      loss = settings;
    }
    return lossStruct;
  }

  public CpuOps.g4_sampling of(SamplingSettings settings) {
    if (!settings.equals(sampling)) {
      samplingStruct.temperature(settings.temperature()).top_k(settings.topK()).top_p(settings.topP()).min_p(settings.minP())
          .repetition_penalty(settings.repetitionPenalty()).vocab_used(settings.vocabUsed()).seed(settings.seed());
      sampling = settings;
    }
    return samplingStruct;
  }

  public CpuOps.g4_adamw_settings of(AdamWSettings settings) {
    if (!settings.equals(adamw)) {
      adamwStruct.learning_rate(settings.learningRate()).beta1(settings.beta1()).beta2(settings.beta2())
          .epsilon(settings.epsilon()).weight_decay(settings.weightDecay())
          .bias_correction1(biasCorrection(settings.beta1(), settings.step()))
          .bias_correction2(biasCorrection(settings.beta2(), settings.step()))
          .grad_scale(settings.gradScale());
      adamw = settings;
    }
    return adamwStruct;
  }

  /** {@code 1 - beta^step}. */
  private static float biasCorrection(double beta, long step) {
    return (float) (1 - StrictMath.pow(beta, step));
  }

  @Override
  public void close() {
    lossStruct.close();
    samplingStruct.close();
    adamwStruct.close();
  }
}
