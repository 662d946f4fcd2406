package io.github.grpo4j.grpo.credit;

/** What a {@link RewardShaping} may ask about the episodes of a step beside their rewards. It is computed when it is asked for. */
public interface Evidence {
  /** Where hidden states are pooled over. */
  enum Pool {
    MEAN,
    LAST
  }

  /** What the model reads before it is asked for hidden states. */
  enum Context {
    /** The completion alone, positions from 0. */
    RESPONSE,
    /** The prompt, too; pooling is over the completion's tokens. */
    PROMPT_AND_RESPONSE
  }

  /** Whose hidden states. */
  enum Source {
    POLICY,
    REFERENCE
  }

  /**
   * @param depth number of blocks, from the bottom, after which hidden states are taken (no final norm); 0: a quarter of the model's
   */
  record FeatureRequest(int depth, Pool pool, Context context, Source source) {}

  /** Pooled hidden states of each episode {@code [N][H]}. */
  float[][] features(FeatureRequest request);

  /** Log-probs of an episode's completion tokens when they were sampled. */
  float[] logprobs(int episode);

  /** Log-probs of an episode's completion tokens under the reference model. */
  float[] referenceLogprobs(int episode);

  /** Knows nothing: for shapings that look at rewards and lengths only. */
  Evidence NONE = new Evidence() {
    @Override
    public float[][] features(FeatureRequest request) {
      throw new IllegalStateException("no hidden states are at hand here");
    }

    @Override
    public float[] logprobs(int episode) {
      throw new IllegalStateException("no log-probs are at hand here");
    }

    @Override
    public float[] referenceLogprobs(int episode) {
      throw new IllegalStateException("no reference model is at hand here");
    }
  };
}
