package io.github.grpo4j.train;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.data.BatchOrder;
import io.github.grpo4j.eval.RunEvaluation;
import io.github.grpo4j.memory.MemoryMetrics;
import io.github.grpo4j.memory.MemoryPlan;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.run.CheckpointContents;
import io.github.grpo4j.run.RunDirectory;
import io.github.grpo4j.run.RunKind;
import io.github.grpo4j.run.RunState;
import io.github.grpo4j.session.ModelSession;
import io.github.grpo4j.session.Resources;
import io.github.grpo4j.session.RunAssembly;
import io.github.grpo4j.session.RunInputs;
import io.github.grpo4j.state.StepStates;
import io.github.grpo4j.track.Metrics;
import io.github.grpo4j.track.Outcome;
import io.github.grpo4j.track.Trackers;
import io.github.grpo4j.track.jsonl.JsonlTracker;
import io.github.grpo4j.train.TrainingListener.Phase;
import io.github.grpo4j.update.GradientPass.Sample;
import io.github.grpo4j.update.LinearLoss;
import java.util.Arrays;
import java.util.List;

/**
 * Supervised warm-up: the update of GRPO with every token of a worked solution weighted alike, no rollout and no reward.
 * {@code loss = -mean over solution tokens of log p(token)}; prompts are not trained on, the end of sequence is.
 *
 * <p>It stops, resumes and keeps checkpoints as a {@link Trainer} does, to the same bytes.
 */
public final class SftTrainer implements AutoCloseable {
  private final Resources resources = new Resources();
  private final RunConfig config;
  private final TrainingListener listener;
  private final RunControl control = new RunControl();
  private final RunDirectory directory;
  private final ModelSession session;
  private final List<Sample> samples;
  private final BatchOrder order;
  private final RunAssembly.Learner learner;
  private final RunLoop loop;

  private SftTrainer(RunConfig config, boolean randomWeights, TrainingListener listener) {
    this.config = config;
    this.listener = listener;
    MemoryPlan.training(config).requireFits();
    try {
      this.directory = RunDirectory.open(config);
      RunInputs inputs = resources.own(randomWeights ? RunInputs.openRandom(config) : RunInputs.open(config));
      this.session = inputs.session();
      WorkedSolutions solutions = WorkedSolutions.read(inputs);
      this.samples = solutions.samples();
      this.order = new BatchOrder(samples.size(), config.sft().batchSize(), config.training().seed(), true);
      RunAssembly assembly = resources.own(new RunAssembly(inputs, inputs.scorer(), solutions.longest(), config.episodesPerStep()));
      this.learner = assembly.learner(config.sft().optimizer());
      CheckpointContents contents = new CheckpointContents(session.state(), learner.optimizer(),
          StepStates.of(learner.scaler().isUsed() ? learner.scaler() : null), List.of());
      RunState state = directory.resume(RunKind.SFT, config, contents, solutions.sha256());
      Trackers trackers = resources.own(
          new Trackers(JsonlTracker.resume(directory.path(), state.trackerOffsets()), List.of(), listener::warning));
      // The model before any step is not evaluated: where weights are random, it would only tell how long nonsense can get.
      this.loop = new RunLoop(config, config.sft().steps(), this::step, new RunEvaluation(assembly), control, listener, directory,
          contents, trackers, state.step() == 0 ? state.reported() : state);
    } catch (RuntimeException e) {
      resources.close();
      throw e;
    }
  }

  /**
   * Opens model, solutions and run directory, and goes on from a checkpoint where {@code training.resume} says so.
   *
   * @param randomWeights starts from seeded random weights; the model directory then needs no weights file
   */
  public static SftTrainer open(RunConfig config, boolean randomWeights, TrainingListener listener) {
    return new SftTrainer(config, randomWeights, listener);
  }

  public RunDirectory directory() {
    return directory;
  }

  /** Asks the run to end soon and in good order: a checkpoint of the last whole step is written. */
  public void requestStop() {
    control.requestStop();
  }

  /** Runs to the end. */
  public Outcome run() {
    return run(Integer.MAX_VALUE);
  }

  /** Runs until step {@code lastStep} is done, at most to the end; a later run goes on from there. */
  public Outcome run(int lastStep) {
    return loop.run(lastStep, directory.startedFrom() + "; on " + session.device());
  }

  private RunState step(RunState before) {
    long start = System.nanoTime();
    int number = before.step() + 1;
    listener.phase(number, Phase.UPDATE);
    List<Sample> batch = Arrays.stream(order.batch(number - 1)).mapToObj(samples::get).toList();
    int targets = batch.stream().mapToInt(Sample::targets).sum();
    learner.optimizer().prefetch();
    learner.gradients().zero();
    float[] dLogprob = new float[targets];
    Arrays.fill(dLogprob, -1f / targets * (float) learner.scaler().scale());
    LinearLoss loss = new LinearLoss(session.backend(), dLogprob, 1);
    learner.pass().backward(batch, loss, learner.gradients());
    double rate = config.sft().schedule().at(number - 1);
    AdamW.StepResult stepped = learner.optimizer().step(learner.gradients(), rate, learner.scaler().scale());
    learner.scaler().update(stepped.skipped());
    double seconds = TrainingStep.secondsSince(start);
    int tokens = batch.stream().mapToInt(sample -> sample.ids().length).sum();

    Metrics metrics = new Metrics();
    metrics.put("loss", -sum(loss.logprob()) / targets);
    metrics.put("entropy", sum(loss.entropy()) / targets);
    metrics.put(Metrics.GRAD_NORM, stepped.gradNorm());
    metrics.put(Metrics.LEARNING_RATE, rate);
    if (learner.scaler().isUsed()) {
      metrics.put(Metrics.LOSS_SCALE, learner.scaler().scale());
    }
    metrics.put(Metrics.TRAIN_TOKENS_PER_S, tokens / seconds);
    metrics.put(Metrics.STEP_TIME, seconds);
    MemoryMetrics.putInto(metrics, session.backend());
    return before.next(1, tokens, stepped.skipped() ? 1 : 0, metrics.asMap());
  }

  private static double sum(float[] values) {
    double sum = 0;
    for (float value : values) {
      sum += value;
    }
    return sum;
  }

  @Override
  public void close() {
    resources.close();
  }
}
