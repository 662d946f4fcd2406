package io.github.grpo4j.update;

import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.grpo.credit.Evidence;
import io.github.grpo4j.model.HiddenStates;
import io.github.grpo4j.model.HiddenStates.Span;
import io.github.grpo4j.model.LossHead.Scores;
import java.util.List;
import java.util.function.Function;

/**
 * What models say about the episodes of a step. Nothing is computed before it is asked for; the reference model's log-probs are computed
 * once, for whoever asks first.
 */
public final class StepEvidence implements Evidence {
  private final List<Episode> episodes;
  private final GradientPass policy;
  private final ReferencePolicy reference;
  private final float rescoringTemperature;
  private List<float[]> referenceLogprobs;
  private List<Scores> rescored;

  /**
   * @param policy pass over the model that sampled the episodes, still with the same weights
   * @param reference null where no stage of the run needs one
   * @param rescoringTemperature of log-probs, where that is not the rollout's; 0: the rollout's own are right
   */
  public StepEvidence(List<Episode> episodes, GradientPass policy, ReferencePolicy reference, float rescoringTemperature) {
    this.rescoringTemperature = rescoringTemperature;
    this.episodes = List.copyOf(episodes);
    this.policy = policy;
    this.reference = reference;
  }

  @Override
  public float[][] features(FeatureRequest request) {
    int depth = depth(request.depth(), policy.layers());
    List<Span> spans = episodes.stream().map(episode -> span(episode, request.context())).toList();
    Function<HiddenStates, float[][]> pooled =
        states -> request.pool() == Pool.MEAN ? states.mean(spans, depth) : states.last(spans, depth);
    return request.source() == Source.POLICY ? pooled.apply(policy.hiddenStates()) : reference("hidden states").features(pooled);
  }

  @Override
  public float[] logprobs(int episode) {
    return rescoringTemperature == 0 ? episodes.get(episode).logprobs() : rescored().get(episode).logprob();
  }

  /** Log-probs and entropies of every completion at the rescoring temperature, under the weights that sampled them. */
  public List<Scores> rescored() {
    if (rescored == null) {
      rescored = policy.score(episodes.stream().map(StepTable::sampleOf).toList(), rescoringTemperature);
    }
    return rescored;
  }

  @Override
  public float[] referenceLogprobs(int episode) {
    return referenceLogprobs().get(episode);
  }

  /** Log-probs of every episode's completion under the reference model. */
  public List<float[]> referenceLogprobs() {
    if (referenceLogprobs == null) {
      referenceLogprobs = reference("log-probs").logprobs(episodes);
    }
    return referenceLogprobs;
  }

  private ReferencePolicy reference(String what) {
    if (reference == null) {
      throw new IllegalStateException(what + " of a reference model were asked for, and this run keeps none");
    }
    return reference;
  }

  /** 0 is a quarter of the layers, 1 at least. */
  private static int depth(int wanted, int layers) {
    if (wanted > layers) {
      throw new IllegalArgumentException("depth is " + wanted + ", and the model has " + layers + " layers; similarity takes a depth of "
          + layers + " at most, and 0 for a quarter of them");
    }
    return wanted == 0 ? Math.max(1, layers / 4) : wanted;
  }

  private static Span span(Episode episode, Context context) {
    return context == Context.RESPONSE
        ? new Span(episode.tokenIds(), 0)
        : new Span(StepTable.sampleOf(episode).ids(), episode.promptIds().length);
  }
}
