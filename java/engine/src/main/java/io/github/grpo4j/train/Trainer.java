package io.github.grpo4j.train;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.curriculum.ProblemOrder;
import io.github.grpo4j.data.Dataset;
import io.github.grpo4j.data.EncodedPrompts;
import io.github.grpo4j.data.EncodedPrompts.Prompt;
import io.github.grpo4j.eval.RunEvaluation;
import io.github.grpo4j.memory.MemoryMetrics;
import io.github.grpo4j.memory.MemoryPlan;
import io.github.grpo4j.model.ModelDirectory;
import io.github.grpo4j.optim.LearningRateSchedule;
import io.github.grpo4j.optim.LossScaler;
import io.github.grpo4j.run.CheckpointContents;
import io.github.grpo4j.run.CheckpointPart;
import io.github.grpo4j.run.ModelLocation;
import io.github.grpo4j.run.RunDirectory;
import io.github.grpo4j.run.RunKind;
import io.github.grpo4j.run.RunState;
import io.github.grpo4j.session.ModelSession;
import io.github.grpo4j.session.Resources;
import io.github.grpo4j.session.RunAssembly;
import io.github.grpo4j.session.RunInputs;
import io.github.grpo4j.session.TrainingData;
import io.github.grpo4j.state.StepStates;
import io.github.grpo4j.track.Metrics;
import io.github.grpo4j.track.Outcome;
import io.github.grpo4j.track.Sample;
import io.github.grpo4j.track.Trackers;
import io.github.grpo4j.track.jsonl.JsonlTracker;
import io.github.grpo4j.update.PolicyUpdate;
import io.github.grpo4j.update.ReferencePolicy;
import io.github.grpo4j.update.StepEvidence;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Trains a model with GRPO: rollout, reward, advantage, update, and every so often an evaluation and a checkpoint.
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
  private final Resources resources = new Resources();
  private final RunConfig config;
  private final TrainingListener listener;
  private final RunControl control = new RunControl();
  private final RunDirectory directory;
  private final ModelSession session;
  private final EncodedPrompts problems;
  private final LossScaler scaler;
  private final ProblemOrder order;
  private final TrainingStep step;
  private final Trackers trackers;
  private final RunLoop loop;

  Trainer(TrainerBuilder builder) {
    this.config = builder.config();
    this.listener = builder.listener();
    ModelDirectory.checkFiles(ModelLocation.find(config.model().path()).model());
    MemoryPlan.training(config).requireFits();
    try {
      this.directory = RunDirectory.open(config);
      RunInputs inputs = resources.own(RunInputs.open(config));
      this.session = inputs.session();
      Dataset data = TrainingData.train(config);
      this.problems = inputs.encode(data);
      int[] indices = IntStream.range(0, problems.size()).map(i -> problems.get(i).problem().index()).toArray();
      this.order = builder.curriculum().order(indices, config.rollout().questionsPerStep(), config.training().seed());
      RunAssembly assembly = resources.own(new RunAssembly(
          inputs, builder.scorer(inputs), problems.longest() + config.rollout().maxNewTokens(), config.episodesPerStep()));
      RunAssembly.Learner learner = assembly.learner(config.optimizer());
      this.scaler = learner.scaler();
      ReferencePolicy reference = config.needsReference() ? assembly.reference(learner) : null;
      this.step = step(assembly, learner, reference);
      CheckpointContents contents = new CheckpointContents(session.state(), learner.optimizer(),
          StepStates.of(order, scaler.isUsed() ? scaler : null), parts(reference));
      RunState state = directory.resume(RunKind.TRAIN, config, contents, data.sha256());
      this.trackers = resources.own(
          new Trackers(JsonlTracker.resume(directory.path(), state.trackerOffsets()), builder.trackers(), listener::warning));
      this.loop = new RunLoop(config, totalSteps(config, order), this::step, new RunEvaluation(assembly), control, listener, directory,
          contents, trackers, state);
      // Model files stay mapped until a collection finds their buffers: twice the model where a checkpoint was loaded over it.
      System.gc();
    } catch (RuntimeException e) {
      resources.close();
      throw e;
    }
  }

  /** For a run with rewards, trackers or a listener of one's own. */
  public static TrainerBuilder builder(RunConfig config) {
    return new TrainerBuilder(config);
  }

  /** Opens model, data and run directory, and goes on from a checkpoint where {@code training.resume} says so. */
  public static Trainer open(RunConfig config, TrainingListener listener) {
    return builder(config).listener(listener).open();
  }

  /** Known at the start and kept, although a curriculum that leaves problems out makes its passes shorter. */
  private static int totalSteps(RunConfig config, ProblemOrder order) {
    int planned = Math.multiplyExact(order.stepsPerEpoch(), config.training().epochs());
    return config.training().maxSteps() > 0 ? Math.min(planned, config.training().maxSteps()) : planned;
  }

  private List<CheckpointPart> parts(ReferencePolicy reference) {
    boolean follows = reference != null && config.grpo().referenceRefresh().changes();
    return follows ? List.of(new ReferencePart(reference, session.state())) : List.of();
  }

  /** @param reference null where no stage needs one */
  private TrainingStep step(RunAssembly assembly, RunAssembly.Learner learner, ReferencePolicy reference) {
    PolicyUpdate update = new PolicyUpdate(
        learner.pass(), learner.gradients(), learner.optimizer(), learner.scaler(), config.loss(), (float) config.logprobTemperature(),
        config.rollout().maxNewTokens());
    update.runBeside(config.loss().needsExactKl() ? reference : null);
    LearningRateSchedule schedule =
        config.optimizer().schedule((long) totalSteps(config, order) * config.grpo().updatesPerRollout());
    return new TrainingStep(config, assembly.generator(), assembly.scorer(),
        episodes -> new StepEvidence(episodes, learner.pass(), reference, config.rescoresRollout() ? (float) config.logprobTemperature() : 0),
        new CreditAssignment(config, assembly.scorer().weights()),
        new RolloutUpdate(config, update, reference, session.weights(), schedule), control, listener);
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
    return loop.totalSteps();
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
    if (problems.skipped() > 0) {
      listener.warning(problems.skipped() + " training problems are left out: their prompts have more than data.max_prompt_tokens = "
          + config.data().maxPromptTokens() + " tokens");
    }
    return loop.run(lastStep, directory.startedFrom() + "; on " + session.device());
  }

  private RunState step(RunState before) {
    long start = System.nanoTime();
    int number = before.step() + 1;
    List<Prompt> prompts = Arrays.stream(order.batch(before.step())).mapToObj(problems::get).toList();
    TrainingStep.Result result = step.run(number, prompts, before.optimizerSteps());
    order.done(before.step(), result.accuracies());
    Metrics metrics = StepReport.of(result, before, (double) number / order.stepsPerEpoch());
    if (scaler.isUsed()) {
      metrics.put(Metrics.LOSS_SCALE, scaler.scale());
    }
    order.metrics().forEach(metrics::put);
    trackers.samples(Sample.of(number, Sample.TRAIN, result.episodes()));
    metrics.put(Metrics.STEP_TIME, TrainingStep.secondsSince(start));
    MemoryMetrics.putInto(metrics, session.backend());
    return before.next(result.updated().count(), result.tokens(), result.updated().skipped(), metrics.asMap());
  }

  @Override
  public void close() {
    resources.close();
  }
}
