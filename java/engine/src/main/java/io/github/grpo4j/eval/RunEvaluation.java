package io.github.grpo4j.eval;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.data.EncodedPrompts;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.rollout.SamplingParams;
import io.github.grpo4j.session.RunAssembly;
import io.github.grpo4j.track.Metrics;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** The evaluations of a training run: greedy completions to the held-out problems, and sampled ones where asked for. */
public final class RunEvaluation {
  /** What one evaluation found. */
  public record Measurement(Evaluator.Result greedy, Optional<Evaluator.Result> sampled) {
    public void putInto(Metrics metrics) {
      greedy.rates().putInto((name, rate) -> metrics.put(Metrics.EVAL + name + "_greedy", rate));
      metrics.put(Metrics.EVAL_MEAN_LENGTH, greedy.meanTokens());
      sampled.ifPresent(result -> result.rates().putInto((name, rate) -> metrics.put(Metrics.EVAL + name + "_sampled", rate)));
      byLength().accuracy().forEach((bucket, accuracy) -> metrics.put(Metrics.EVAL_ACCURACY_BY_LENGTH + bucket, accuracy));
    }

    /** The sampled completions, which show what the policy does in training; the greedy ones where none was sampled. */
    public CompletionsByLength byLength() {
      return new CompletionsByLength(sampled.orElse(greedy).completions());
    }

    /** All completions, greedy and sampled. */
    public List<ScoredEpisode> completions() {
      return Stream.concat(greedy.completions().stream(), sampledCompletions().stream()).toList();
    }

    public List<ScoredEpisode> sampledCompletions() {
      return sampled.map(Evaluator.Result::completions).orElse(List.of());
    }
  }

  private final Evaluator evaluator;
  private final EncodedPrompts problems;
  private final int interval;
  private final int samples;
  private final SamplingParams greedy;
  private final SamplingParams sampling;

  public RunEvaluation(RunAssembly assembly) {
    RunConfig config = assembly.config();
    int maxNewTokens = config.rollout().maxNewTokens();
    this.evaluator = Evaluator.of(assembly);
    this.problems = assembly.evalProblems();
    this.interval = config.training().evalInterval();
    this.samples = config.training().evalSamples();
    this.greedy = SamplingParams.greedy(maxNewTokens);
    this.sampling = SamplingParams.atTemperature((float) config.rollout().temperature(), maxNewTokens);
  }

  /** Whether step {@code step} of {@code total} ends with an evaluation; step 0 is the model before any update. */
  public boolean isDue(int step, int total) {
    return interval > 0 && (step % interval == 0 || step == total);
  }

  /** @param listeners one for each of the rollouts */
  public Measurement measure(Supplier<RolloutListener> listeners) {
    Evaluator.Result first = evaluator.evaluate(problems, greedy, 1, listeners.get());
    return new Measurement(first, samples == 0 ? Optional.empty() : Optional.of(evaluator.evaluate(problems, sampling, samples, listeners.get())));
  }
}
