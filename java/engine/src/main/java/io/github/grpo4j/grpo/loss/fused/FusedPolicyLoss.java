package io.github.grpo4j.grpo.loss.fused;

import io.github.grpo4j.backend.TokenLoss;
import io.github.grpo4j.grpo.loss.ImportanceLevel;
import io.github.grpo4j.grpo.loss.KlPenalty;
import io.github.grpo4j.grpo.loss.LossPipeline;
import io.github.grpo4j.grpo.loss.LossTerm;
import io.github.grpo4j.grpo.loss.kl.K1;
import io.github.grpo4j.grpo.loss.kl.K2;
import io.github.grpo4j.grpo.loss.kl.K3;
import io.github.grpo4j.grpo.loss.surrogate.ClippedSurrogate;
import io.github.grpo4j.grpo.loss.term.EntropyTerm;
import io.github.grpo4j.grpo.loss.term.KlTerm;
import io.github.grpo4j.grpo.loss.term.PolicyTerm;
import java.util.Optional;

/**
 * A loss that the fused kernel {@link io.github.grpo4j.backend.Backend#policyLoss} knows: one clipped surrogate at token level, at most
 * one KL estimate and at most one entropy bonus. It computes log-probs, derivatives and the gradient of the logits in one pass. An
 * accelerator, never the definition: the terms are, and a test holds both to the same numbers.
 *
 * @param settings that all tokens share
 * @param surrogate gives each token's bounds
 */
public record FusedPolicyLoss(TokenLoss settings, ClippedSurrogate surrogate) {
  /** Empty if the terms are not what the kernel knows. */
  public static Optional<FusedPolicyLoss> of(LossPipeline pipeline) {
    ClippedSurrogate surrogate = null;
    KlPenalty kl = null;
    double entropyCoef = 0;
    for (LossTerm term : pipeline.terms()) {
      if (term instanceof PolicyTerm policy && surrogate == null && policy.surrogate() instanceof ClippedSurrogate clipped
          && clipped.level() == ImportanceLevel.TOKEN) {
        surrogate = clipped;
      } else if (term instanceof KlTerm penalty && kl == null && estimator(penalty.penalty()) != TokenLoss.Kl.NONE) {
        kl = penalty.penalty();
      } else if (term instanceof EntropyTerm bonus && entropyCoef == 0) {
        entropyCoef = bonus.coef();
      } else {
        return Optional.empty();
      }
    }
    if (surrogate == null) {
      return Optional.empty();
    }
    TokenLoss settings = new TokenLoss(TokenLoss.Kind.CLIPPED, kl == null ? TokenLoss.Kl.NONE : estimator(kl),
        kl != null && kl.timesRatio(), kl == null ? 0 : (float) kl.coef(), (float) entropyCoef, (float) surrogate.capOfRatio(), (float) surrogate.boundOfLoss());
    return Optional.of(new FusedPolicyLoss(settings, surrogate));
  }

  private static TokenLoss.Kl estimator(KlPenalty penalty) {
    if (penalty instanceof K1) {
      return TokenLoss.Kl.K1;
    }
    return penalty instanceof K2 ? TokenLoss.Kl.K2 : penalty instanceof K3 ? TokenLoss.Kl.K3 : TokenLoss.Kl.NONE;
  }

  /** Writes the bounds of tokens with log-probs {@code old} when they were sampled. */
  public void bounds(float[] old, float[] low, float[] high) {
    for (int t = 0; t < low.length; t++) {
      low[t] = surrogate.low(old == null ? 0 : old[t]);
      high[t] = surrogate.high(old == null ? 0 : old[t]);
    }
  }
}
