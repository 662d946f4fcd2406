package io.github.grpo4j.train;

import io.github.grpo4j.backend.TokenLoss;
import io.github.grpo4j.config.DataOptions;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.config.SftOptions;
import io.github.grpo4j.data.BatchOrder;
import io.github.grpo4j.data.DataException;
import io.github.grpo4j.data.Dataset;
import io.github.grpo4j.data.EncodedPrompts;
import io.github.grpo4j.data.Problem;
import io.github.grpo4j.data.SyntheticArithmetic;
import io.github.grpo4j.eval.Evaluator;
import io.github.grpo4j.eval.RunEvaluation;
import io.github.grpo4j.memory.MemoryMetrics;
import io.github.grpo4j.memory.MemoryPlan;
import io.github.grpo4j.memory.RolloutLimits;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.LossHead.Inputs;
import io.github.grpo4j.model.LossHead.Scores;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.optim.LearningRateSchedule;
import io.github.grpo4j.reward.EpisodeScorer;
import io.github.grpo4j.rollout.Generator;
import io.github.grpo4j.run.RunDirectory;
import io.github.grpo4j.session.ModelSession;
import io.github.grpo4j.session.Resources;
import io.github.grpo4j.session.TrainingData;
import io.github.grpo4j.track.JsonlTracker;
import io.github.grpo4j.track.Metrics;
import io.github.grpo4j.train.TrainingListener.Phase;
import io.github.grpo4j.update.GradientPass;
import io.github.grpo4j.update.GradientPass.Sample;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Supervised warm-up: the update of GRPO with every token of a worked solution weighted alike, no rollout and no reward.
 * {@code loss = -mean over solution tokens of log p(token)}; prompts are not trained on, the end of sequence is.
 */
public final class SftTrainer implements AutoCloseable {
  private final Resources resources = new Resources();
  private final SftOptions options;
  private final TrainingListener listener;
  private final RunDirectory directory;
  private final ModelSession session;
  private final List<Sample> samples;
  private final RunEvaluation evaluation;
  private final GradientPass pass;
  private final Gradients gradients;
  private final AdamW optimizer;
  private final LearningRateSchedule schedule;
  private final BatchOrder order;
  private final JsonlTracker tracker;
  private volatile boolean stopRequested;

  /**
   * @param randomWeights starts from seeded random weights; the model directory then needs no weights file
   */
  public SftTrainer(RunConfig config, boolean randomWeights, TrainingListener listener) {
    this.options = config.sft();
    this.listener = listener;
    MemoryPlan.training(config).requireFits();
    try {
      this.session = resources.own(randomWeights ? ModelSession.openRandom(config) : ModelSession.open(config));
      var prompts = TrainingData.prompts(config, session.directory(), session.tokenizer());
      int eos = session.tokenizer().special().eos().orElseThrow(() -> new DataException("the model in " + session.directory()
          + " names no end-of-sequence token (eos_token of tokenizer_config.json), so solutions could not be ended"));
      Dataset solutions = solutions(config);
      this.samples = samples(solutions.name(), TrainingData.encode(solutions, prompts, config.data()), eos);
      EncodedPrompts evalProblems = TrainingData.encode(TrainingData.eval(config.data()), prompts, config.data());
      int longest = Math.max(samples.stream().mapToInt(sample -> sample.ids().length).max().orElseThrow(),
          evalProblems.longest() + config.rollout().maxNewTokens());
      CausalLm model = resources.own(new CausalLm(session.backend(), session.weights(), longest));
      Generator generator = resources.own(new Generator(model, RolloutLimits.of(config, model.config(), longest, config.episodesPerStep()),
          session.stopIds(), session.tokenizer().vocabUsed(), session.tokenizer()::decode));
      this.evaluation = new RunEvaluation(
          config, new Evaluator(generator, session.scorer(config), config.training().seed()), evalProblems);
      this.pass = resources.own(new GradientPass(model, config.training().microBatchTokens(), longest,
          CausalLm.Recompute.valueOf(config.training().recompute().name())));
      this.gradients = resources.own(new Gradients(session.backend(), session.weights()));
      this.optimizer = resources.own(
          new AdamW(session.backend(), session.weights(), Trainer.settings(options.optimizer()), config.optimizer().placement()));
      this.schedule = options.schedule();
      this.order = new BatchOrder(samples.size(), options.batchSize(), config.training().seed(), true);
      this.directory = RunDirectory.open(config);
      this.tracker = resources.own(JsonlTracker.create(directory.path()));
    } catch (RuntimeException e) {
      resources.close();
      throw e;
    }
  }

  /** SolutionSteps solutions: demonstrations of the synthetic task, as many as the steps read, or the training split of a data set. */
  private static Dataset solutions(RunConfig config) {
    DataOptions data = config.data();
    if (data.kind() != DataOptions.Kind.SYNTHETIC) {
      return TrainingData.train(config);
    }
    int count = data.trainLimit() > 0 ? data.trainLimit() : Math.multiplyExact(config.sft().steps(), config.sft().batchSize());
    return SyntheticArithmetic.demonstrations(config.training().seed(), count, config.sft().slipShare());
  }

  private List<Sample> samples(String name, EncodedPrompts prompted, int eos) {
    List<Sample> result = new ArrayList<>(prompted.size());
    for (int i = 0; i < prompted.size(); i++) {
      Problem problem = prompted.get(i).problem();
      if (problem.solution() == null) {
        throw new DataException("problem " + problem.index() + " of " + name
            + " has no solution to imitate; sft needs question and worked answer");
      }
      int[] prompt = prompted.get(i).ids();
      int[] solution = session.tokenizer().encode(problem.solution());
      int[] ids = Arrays.copyOf(prompt, prompt.length + solution.length + 1);
      System.arraycopy(solution, 0, ids, prompt.length, solution.length);
      ids[ids.length - 1] = eos;
      result.add(new Sample(ids, prompt.length, null));
    }
    return result;
  }

  public RunDirectory directory() {
    return directory;
  }

  public void requestStop() {
    stopRequested = true;
  }

  /** Runs to the end, or until {@link #requestStop}; the model is saved in both cases. */
  public Trainer.Outcome run() {
    listener.started(1, options.steps(), directory.startedFrom());
    int step = 0;
    while (step < options.steps() && !stopRequested) {
      step++;
      step(step);
    }
    directory.saveFinalModel(session.state());
    return step == options.steps() ? Trainer.Outcome.COMPLETED : Trainer.Outcome.STOPPED;
  }

  private void step(int step) {
    long start = System.nanoTime();
    listener.phase(step, Phase.UPDATE);
    List<Sample> batch = Arrays.stream(order.batch(step - 1)).mapToObj(samples::get).toList();
    int targets = batch.stream().mapToInt(Sample::targets).sum();
    List<Sample> weighted = batch.stream().map(sample -> {
      float[] weight = new float[sample.targets()];
      Arrays.fill(weight, -1f / targets);
      return new Sample(sample.ids(), sample.firstTarget(), Inputs.linear(weight));
    }).toList();
    optimizer.prefetch();
    gradients.zero();
    List<Scores> scores = pass.backward(weighted, TokenLoss.LINEAR, 1, gradients);
    double rate = schedule.at(step - 1);
    AdamW.StepResult stepped = optimizer.step(gradients, rate);
    double seconds = (System.nanoTime() - start) * 1e-9;

    Metrics metrics = new Metrics();
    metrics.put("loss", -sum(scores, true) / targets);
    metrics.put("entropy", sum(scores, false) / targets);
    metrics.put(Metrics.GRAD_NORM, stepped.gradNorm());
    metrics.put(Metrics.LEARNING_RATE, rate);
    metrics.put(Metrics.TRAIN_TOKENS_PER_S, batch.stream().mapToInt(sample -> sample.ids().length).sum() / seconds);
    metrics.put(Metrics.STEP_TIME, seconds);
    MemoryMetrics.putInto(metrics, session.backend());
    if (evaluation.isDue(step, options.steps())) {
      evaluate(step, metrics);
    }
    tracker.metrics(step, metrics.asMap());
    listener.step(step, metrics.asMap());
  }

  private static double sum(List<Scores> scores, boolean logprobs) {
    double sum = 0;
    for (Scores score : scores) {
      for (float value : logprobs ? score.logprob() : score.entropy()) {
        sum += value;
      }
    }
    return sum;
  }

  private void evaluate(int step, Metrics metrics) {
    listener.phase(step, Phase.EVALUATION);
    long start = System.nanoTime();
    RunEvaluation.Measured measured = evaluation.measure(() -> listener.rolloutListener(step, Phase.EVALUATION));
    measured.putInto(metrics);
    directory.writeEvaluation(step, measured.greedy().answers(), measured.sampledAnswers());
    metrics.put(Metrics.TIME + "eval", (System.nanoTime() - start) * 1e-9);
  }

  @Override
  public void close() {
    resources.close();
  }
}
