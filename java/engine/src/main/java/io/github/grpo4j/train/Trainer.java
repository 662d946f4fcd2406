package io.github.grpo4j.train;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.config.OptimizerOptions;
import io.github.grpo4j.config.RolloutOptions;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.config.TrainingOptions;
import io.github.grpo4j.data.BatchOrder;
import io.github.grpo4j.data.Dataset;
import io.github.grpo4j.data.EncodedPrompts;
import io.github.grpo4j.data.Problem;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.eval.Evaluator;
import io.github.grpo4j.eval.RunEvaluation;
import io.github.grpo4j.grpo.credit.Advantages;
import io.github.grpo4j.grpo.credit.GroupedRewards;
import io.github.grpo4j.grpo.loss.ObjectiveMetrics;
import io.github.grpo4j.memory.MemoryMetrics;
import io.github.grpo4j.memory.MemoryPlan;
import io.github.grpo4j.memory.RolloutLimits;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.ModelDirectory;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.optim.LearningRateSchedule;
import io.github.grpo4j.reward.EpisodeScorer;
import io.github.grpo4j.rollout.Generator;
import io.github.grpo4j.rollout.RolloutRequest;
import io.github.grpo4j.rollout.SamplingParams;
import io.github.grpo4j.run.ModelLocation;
import io.github.grpo4j.run.RunDirectory;
import io.github.grpo4j.run.RunState;
import io.github.grpo4j.session.ModelSession;
import io.github.grpo4j.session.Resources;
import io.github.grpo4j.session.TrainingData;
import io.github.grpo4j.track.JsonlTracker;
import io.github.grpo4j.track.Metrics;
import io.github.grpo4j.track.Sample;
import io.github.grpo4j.track.Tracker;
import io.github.grpo4j.train.TrainingListener.Phase;
import io.github.grpo4j.update.GradientPass;
import io.github.grpo4j.update.PolicyUpdate;
import io.github.grpo4j.update.ReferencePolicy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;

/**
 * The training loop: rollout, reward, advantage, update, and every so often an evaluation and a checkpoint.
 *
 * <pre>{@code
 * RunConfig config = ConfigLoader.load(Path.of("config.yaml"), List.of());
 * try (Trainer trainer = Trainer.open(config, TrainingListener.NONE)) {
 *   trainer.run();
 * }
 * }</pre>
 *
 * <p>A run is a function of its configuration: same configuration, same bits, whatever the number of threads, and whether it
 * was stopped and resumed or not. Not thread-safe, but {@link #requestStop} may come from any thread.
 */
public final class Trainer implements AutoCloseable {
  /** How a run ended. */
  public enum Outcome {
    COMPLETED,
    STOPPED
  }

  private final Resources resources = new Resources();
  private final RunConfig config;
  private final TrainingListener listener;
  private final RunDirectory directory;
  private final ModelSession session;
  private final EncodedPrompts trainProblems;
  private final BatchOrder order;
  private final Generator generator;
  private final EpisodeScorer scorer;
  private final RunEvaluation evaluation;
  private final AdamW optimizer;
  private final PolicyUpdate update;
  private final ReferencePolicy reference;
  private final int totalSteps;
  private final LearningRateSchedule schedule;
  private final Tracker tracker;
  private RunState state;
  private volatile boolean stopRequested;
  private final Object stopLock = new Object();
  private Thread rollingOut;

  private Trainer(RunConfig config, TrainingListener listener) {
    this.config = config;
    this.listener = listener;
    ModelDirectory.checkFiles(ModelLocation.find(config.model().path()).model());
    MemoryPlan.training(config).requireFits();
    try {
      this.directory = RunDirectory.open(config);
      this.session = resources.own(ModelSession.open(config));
      Backend backend = session.backend();
      var prompts = TrainingData.prompts(config, session.directory(), session.tokenizer());
      Dataset trainData = TrainingData.train(config);
      this.trainProblems = TrainingData.encode(trainData, prompts, config.data());
      EncodedPrompts evalProblems = TrainingData.encode(TrainingData.eval(config.data()), prompts, config.data());
      RolloutOptions rollout = config.rollout();
      TrainingOptions training = config.training();
      this.order = new BatchOrder(trainProblems.size(), rollout.questionsPerStep(), training.seed(), true);
      int planned = Math.multiplyExact(order.stepsPerEpoch(), training.epochs());
      this.totalSteps = training.maxSteps() > 0 ? Math.min(planned, training.maxSteps()) : planned;
      this.schedule = config.optimizer().schedule((long) totalSteps * config.grpo().updatesPerRollout());
      int longest = Math.max(trainProblems.longest(), evalProblems.longest()) + rollout.maxNewTokens();
      CausalLm model = resources.own(new CausalLm(backend, session.weights(), longest));
      this.generator = resources.own(new Generator(model, RolloutLimits.of(config, model.config(), longest, config.episodesPerStep()),
          session.stopIds(), session.tokenizer().vocabUsed(), session.tokenizer()::decode));
      this.scorer = session.scorer(config);
      this.evaluation = new RunEvaluation(config, new Evaluator(generator, scorer, training.seed()), evalProblems);
      GradientPass pass = resources.own(
          new GradientPass(model, training.microBatchTokens(), longest, CausalLm.Recompute.valueOf(training.recompute().name())));
      Gradients gradients = resources.own(new Gradients(backend, session.weights()));
      this.optimizer = resources.own(new AdamW(backend, session.weights(), settings(config.optimizer()), config.optimizer().placement()));
      this.update = new PolicyUpdate(pass, gradients, optimizer, config.objective(), (float) rollout.temperature());
      this.reference = config.objective().kl().isUsed() ? resources.own(referencePolicy(longest)) : null;
      this.state = directory.resume(config, session.state(), optimizer, trainData.sha256());
      this.tracker = resources.own(JsonlTracker.resume(directory.path(), state.trackerOffsets()));
      // Model files stay mapped until a collection finds their buffers: twice the model where a checkpoint was loaded over it.
      System.gc();
    } catch (RuntimeException e) {
      resources.close();
      throw e;
    }
  }

  /** Opens model, data and run directory, and goes on from a checkpoint where {@code training.resume} says so. */
  public static Trainer open(RunConfig config, TrainingListener listener) {
    return new Trainer(config, listener);
  }

  private ReferencePolicy referencePolicy(int longest) {
    return new ReferencePolicy(session.backend(), ModelDirectory.load(session.backend(), session.directory(), config.model().dtype()),
        config.training().microBatchTokens(), longest, (float) config.rollout().temperature());
  }

  static AdamW.Settings settings(OptimizerOptions options) {
    return new AdamW.Settings(options.betas().get(0), options.betas().get(1), options.eps(), options.weightDecay(), false, options.maxGradNorm());
  }

  public RunDirectory directory() {
    return directory;
  }

  /** Memory of the device that the run has taken for weights, states, cache and activations. */
  public long allocatedBytes() {
    return session.backend().allocatedBytes();
  }

  /** Memory of the host that it has taken for states, where that is not the device's; the Java heap aside. */
  public long allocatedHostBytes() {
    return session.backend().allocatedHostBytes();
  }

  /** Steps of the whole run. */
  public int totalSteps() {
    return totalSteps;
  }

  /** Asks the run to end soon and in good order: a checkpoint of the last whole step is written. */
  public void requestStop() {
    synchronized (stopLock) {
      stopRequested = true;
      if (rollingOut != null) {
        rollingOut.interrupt();
      }
    }
  }

  /** Runs to the end. */
  public Outcome run() {
    return run(Integer.MAX_VALUE);
  }

  /** Runs until step {@code lastStep} is done, at most to the end; a later run goes on from there. */
  public Outcome run(int lastStep) {
    listener.started(state.step() + 1, totalSteps, directory.startedFrom() + "; on " + session.device());
    if (trainProblems.skipped() > 0) {
      listener.warning(trainProblems.skipped() + " training problems are left out: their prompts have more than data.max_prompt_tokens = "
          + config.data().maxPromptTokens() + " tokens");
    }
    try {
      if (state.unreported() != null) {
        report(Metrics.of(state.unreported()));
      }
      int end = Math.min(totalSteps, lastStep);
      while (state.step() < end && !stopRequested) {
        step(state.step() + 1);
      }
    } catch (CancellationException e) {
      // Only rollouts can be cancelled, and they change nothing: the state is that of the last whole step.
      listener.warning(state.unreported() != null
          ? "stopped during the evaluation of step " + state.step() + ", which will be done again"
          : "stopped during step " + (state.step() + 1) + ", which will be done again");
    }
    boolean complete = state.step() >= totalSteps;
    checkpoint();
    if (complete) {
      directory.saveFinalModel(session.state());
    }
    return complete ? Outcome.COMPLETED : Outcome.STOPPED;
  }

  private void step(int step) {
    long start = System.nanoTime();
    Metrics metrics = new Metrics();
    listener.phase(step, Phase.ROLLOUT);
    List<Problem> problems = new ArrayList<>();
    List<RolloutRequest> requests = new ArrayList<>();
    for (int position : order.batch(step - 1)) {
      EncodedPrompts.Prompt prompt = trainProblems.get(position);
      problems.add(prompt.problem());
      requests.add(new RolloutRequest(prompt.problem().index(), prompt.ids(), config.rollout().answersPerQuestion()));
    }
    Generator.Rollout rollout = generate(requests, step);
    List<ScoredEpisode> scored = scorer.score(problems, rollout.episodes(), config.rollout().answersPerQuestion());
    listener.episodes(step, scored);
    List<Reward> rewards = rewards(scored, step);
    Advantages advantages = advantages(scored, rewards);
    double rolloutSeconds = seconds(start);

    listener.phase(step, Phase.UPDATE);
    long updateStart = System.nanoTime();
    Updated updated = update(rollout.episodes(), advantages.values());
    double updateSeconds = seconds(updateStart);

    long tokens = rollout.episodes().stream().mapToLong(Episode::totalTokens).sum();
    metrics.put(Metrics.EPOCH, (double) step / order.stepsPerEpoch());
    metrics.putRewards(rewards, advantages);
    metrics.putCompletions(scored.stream().mapToInt(e -> e.episode().tokenIds().length).toArray(), finished(scored));
    updated.metrics.forEach(metrics::put);
    metrics.put(Metrics.LEARNING_RATE, updated.learningRate);
    metrics.put(Metrics.NUM_TOKENS, state.numTokens() + tokens);
    metrics.put("skipped_updates", state.skippedUpdates() + updated.skipped);
    metrics.put(Metrics.ROLLOUT_TOKENS_PER_S, rollout.stats().tokensPerSecond());
    metrics.put(Metrics.TRAIN_TOKENS_PER_S, updateSeconds == 0 ? 0 : updated.trainedTokens / updateSeconds);
    metrics.put(Metrics.TIME + "rollout", rolloutSeconds);
    metrics.put(Metrics.TIME + "update", updateSeconds);
    tracker.samples(Sample.of(step, Sample.TRAIN, scored));
    metrics.put(Metrics.STEP_TIME, seconds(start));
    MemoryMetrics.putInto(metrics, session.backend());
    state = new RunState(step, state.optimizerSteps() + updated.count, state.numTokens() + tokens, state.skippedUpdates() + updated.skipped,
        state.trainData(), state.trackerOffsets(), metrics.asMap());
    report(metrics);
    int every = config.training().checkpointInterval();
    if (every > 0 && step % every == 0 && step < totalSteps) {
      checkpoint();
    }
  }

  private Generator.Rollout generate(List<RolloutRequest> requests, int step) {
    SamplingParams params = config.rollout().sampling();
    return interruptibly(() -> generator.generate(requests, params, config.training().seed(), step, listener.rolloutListener(step, Phase.ROLLOUT)));
  }

  private interface Work<T> {
    T run();
  }

  /** A rollout may be ended by {@link #requestStop}; an update may not, since half of one is no state to keep. */
  private <T> T interruptibly(Work<T> work) {
    synchronized (stopLock) {
      if (stopRequested) {
        throw new CancellationException();
      }
      rollingOut = Thread.currentThread();
    }
    try {
      return work.run();
    } finally {
      synchronized (stopLock) {
        rollingOut = null;
        // An interrupt that came too late for the rollout must not hit the files that are written next.
        if (stopRequested) {
          Thread.interrupted();
        }
      }
    }
  }

  private List<Reward> rewards(List<ScoredEpisode> scored, int step) {
    List<Reward> rewards = scored.stream().map(ScoredEpisode::reward).toList();
    if (!config.training().shuffleRewards()) {
      return rewards;
    }
    int[] dealt = new BatchOrder(rewards.size(), rewards.size(), config.training().seed(), true).order(step);
    return Arrays.stream(dealt).mapToObj(rewards::get).toList();
  }

  private Advantages advantages(List<ScoredEpisode> scored, List<Reward> rewards) {
    int[] groups = scored.stream().mapToInt(ScoredEpisode::group).toArray();
    return config.advantageEstimator().estimate(GroupedRewards.of(groups, rewards.stream().mapToDouble(Reward::total).toArray()));
  }

  /** Sums over the updates of one rollout. */
  private static final class Updated {
    final Map<String, Double> metrics = new LinkedHashMap<>();
    int count;
    int skipped;
    long trainedTokens;
    double learningRate;

    void add(PolicyUpdate.Result result, double rate) {
      ObjectiveMetrics objective = result.metrics();
      count++;
      skipped += result.optimizer().skipped() ? 1 : 0;
      trainedTokens += result.trainedTokens();
      learningRate = rate;
      objective.toMap().forEach((name, value) -> metrics.merge(name, value, Double::sum));
      metrics.merge(Metrics.GRAD_NORM, result.optimizer().gradNorm(), Double::sum);
      if (!result.mismatch().isEmpty()) {
        metrics.put(Metrics.LOGP_DIFFERENCE_MEAN, result.mismatch().mean());
        metrics.put(Metrics.LOGP_DIFFERENCE_MAX, result.mismatch().max());
      }
    }

    /** Metrics of the updates' objective are means over the updates. */
    void average() {
      metrics.replaceAll((name, value) -> name.startsWith("sampling/") ? value : value / count);
    }
  }

  /** The optimizer steps of one rollout: its questions, in order, cut into mini-batches. */
  private Updated update(List<Episode> episodes, double[] advantages) {
    List<float[]> refLogprobs = reference == null ? null : reference.logprobs(episodes);
    Updated updated = new Updated();
    int answers = config.rollout().answersPerQuestion();
    int questions = episodes.size() / answers;
    int updates = Math.min(config.grpo().updatesPerRollout(), questions);
    for (int u = 0; u < updates; u++) {
      int from = (int) ((long) questions * u / updates) * answers;
      int to = (int) ((long) questions * (u + 1) / updates) * answers;
      double rate = schedule.at(state.optimizerSteps() + u);
      updated.add(update.step(episodes.subList(from, to), Arrays.copyOfRange(advantages, from, to),
          refLogprobs == null ? null : refLogprobs.subList(from, to), rate, u == 0), rate);
    }
    updated.average();
    return updated;
  }

  private void evaluate(int step, Metrics metrics) {
    listener.phase(step, Phase.EVALUATION);
    long start = System.nanoTime();
    RunEvaluation.Measured measured = interruptibly(() -> evaluation.measure(() -> listener.rolloutListener(step, Phase.EVALUATION)));
    measured.putInto(metrics);
    directory.writeEvaluation(step, measured.greedy().answers(), measured.sampledAnswers());
    metrics.put(Metrics.TIME + "eval", seconds(start));
  }

  /** Ends the present step with its evaluation, where one is due, and its row of metrics. */
  private void report(Metrics metrics) {
    int step = state.step();
    if (evaluation.isDue(step, totalSteps)) {
      evaluate(step, metrics);
    }
    if (!metrics.asMap().isEmpty()) {
      tracker.metrics(step, metrics.asMap());
      listener.step(step, metrics.asMap());
    }
    state = state.reported();
  }

  private void checkpoint() {
    listener.phase(state.step(), Phase.CHECKPOINT);
    state = state.withTrackerOffsets(tracker.offsets());
    directory.checkpoint(state, config, session.state(), optimizer).ifPresent(folder -> listener.checkpoint(state.step(), folder));
  }

  private static boolean[] finished(List<ScoredEpisode> scored) {
    boolean[] finished = new boolean[scored.size()];
    for (int i = 0; i < finished.length; i++) {
      finished[i] = scored.get(i).episode().finished();
    }
    return finished;
  }

  private static double seconds(long since) {
    return (System.nanoTime() - since) * 1e-9;
  }

  @Override
  public void close() {
    resources.close();
  }
}
