package io.github.grpo4j.session;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.data.Dataset;
import io.github.grpo4j.data.EncodedPrompts;
import io.github.grpo4j.reward.EpisodeScorer;
import io.github.grpo4j.reward.RewardSet;
import java.util.function.Function;

/**
 * What a configuration names, read and not yet wired: the model on its back end, the tokenizer, the way from a problem to its
 * prompt, and the problems that evaluations ask. How long their prompts are says how much memory {@link RunAssembly} takes.
 */
public final class RunInputs implements AutoCloseable {
  private final RunConfig config;
  private final ModelSession session;
  private final Function<String, int[]> prompts;
  private final Dataset evalData;
  private final EncodedPrompts evalProblems;

  private RunInputs(RunConfig config, Dataset evalData, ModelSession session) {
    this.config = config;
    this.session = session;
    this.evalData = evalData;
    try {
      this.prompts = TrainingData.prompts(config, session.directory(), session.tokenizer());
      this.evalProblems = encode(evalData);
    } catch (RuntimeException e) {
      session.close();
      throw e;
    }
  }

  public static RunInputs open(RunConfig config) {
    return open(config, TrainingData.eval(config.data()));
  }

  /** @param evalData the held-out problems, where they have been read already */
  public static RunInputs open(RunConfig config, Dataset evalData) {
    return new RunInputs(config, evalData, ModelSession.open(config));
  }

  /** With seeded random weights: the model directory needs config.json and the tokenizer only. */
  public static RunInputs openRandom(RunConfig config) {
    return new RunInputs(config, TrainingData.eval(config.data()), ModelSession.openRandom(config));
  }

  public RunConfig config() {
    return config;
  }

  public ModelSession session() {
    return session;
  }

  /** The held-out problems. */
  public Dataset evalData() {
    return evalData;
  }

  /** The held-out problems with their prompts. */
  public EncodedPrompts evalProblems() {
    return evalProblems;
  }

  /** Problems with their prompts, which are at most {@code data.max_prompt_tokens} long. */
  public EncodedPrompts encode(Dataset dataset) {
    return TrainingData.encode(dataset, prompts, config.data());
  }

  /** What scores completions as the configuration says. */
  public EpisodeScorer scorer() {
    return scorer(config.reward().set());
  }

  /** What scores completions by other functions. */
  public EpisodeScorer scorer(RewardSet rewards) {
    return new EpisodeScorer(rewards, session.tokenizer()::decode, config.prompt().responsePrefix());
  }

  @Override
  public void close() {
    session.close();
  }
}
