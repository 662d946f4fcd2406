package io.github.grpo4j.run;

import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.config.TrainingOptions;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.model.ModelDirectory;
import io.github.grpo4j.track.Sample;
import io.github.grpo4j.track.jsonl.JsonlTracker;
import io.github.grpo4j.track.jsonl.SamplesFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Everything that a run leaves behind:
 *
 * <pre>
 *   config.yaml                 the resolved configuration
 *   metrics.jsonl, samples.jsonl
 *   eval/step_000020.jsonl      every completion of an evaluation
 *   eval/traces.jsonl           one short, one medium and one long completion of each evaluation
 *   checkpoints/step_000040/    model/ optimizer.safetensors state.json config.yaml manifest.json
 *   model/                      the result, as a Hugging Face directory
 * </pre>
 *
 * A directory that holds another run is never written over: a run that starts anew moves it aside first.
 */
public final class RunDirectory {
  static final String CONFIG = "config.yaml";
  static final String MODEL = "model";
  private static final String OPTIMIZER = "optimizer.safetensors";

  private final Path path;
  private final CheckpointStore checkpoints;
  private final Optional<Path> resumeFrom;
  private final String startedFrom;

  private RunDirectory(Path path, CheckpointStore checkpoints, Optional<Path> resumeFrom, String startedFrom) {
    this.path = path;
    this.checkpoints = checkpoints;
    this.resumeFrom = resumeFrom;
    this.startedFrom = startedFrom;
  }

  /** Finds out where the run goes on from and makes the directory ready. */
  public static RunDirectory open(RunConfig config) {
    TrainingOptions training = config.training();
    Path path = Path.of(training.runDir());
    CheckpointStore store = new CheckpointStore(path.resolve("checkpoints"), training.keepCheckpoints());
    Optional<Path> from = Optional.empty();
    String message = "starting from " + config.model().path();
    switch (training.resume()) {
      case TrainingOptions.RESUME_NEVER -> message = moveAside(path).map(old -> "starting over; the earlier run is now " + old).orElse(message);
      case TrainingOptions.RESUME_AUTO -> {
        Optional<CheckpointStore.Found> found = store.newest();
        from = found.map(CheckpointStore.Found::folder);
        if (found.isPresent()) {
          String rejected = found.get().rejected().isEmpty() ? "" : "; passed over " + String.join("; ", found.get().rejected());
          message = "going on from " + found.get().folder() + ", the newest checkpoint" + rejected;
        } else {
          message = moveAside(path).map(old -> "starting anew; an earlier run without a checkpoint is now " + old).orElse(message);
        }
      }
      default -> {
        Path folder = Path.of(training.resume());
        CheckpointStore.damageOf(folder).ifPresent(damage -> {
          throw new CheckpointException("training.resume names " + folder + ", which is not a usable checkpoint: " + damage);
        });
        from = Optional.of(folder);
        message = "going on from " + folder;
      }
    }
    try {
      Files.createDirectories(path);
      replace(path.resolve(CONFIG), ConfigLoader.toYaml(config));
    } catch (IOException e) {
      throw new UncheckedIOException("the run directory " + path + " cannot be written: " + IoReason.of(e), e);
    }
    return new RunDirectory(path, store, from, message);
  }

  public Path path() {
    return path;
  }

  /** The trained model, once the run is complete. */
  public Path model() {
    return path.resolve(MODEL);
  }

  /** One sentence on where the run starts from. */
  public String startedFrom() {
    return startedFrom;
  }

  /**
   * Loads the contents of the checkpoint to go on from, if there is one.
   *
   * @param trainData SHA-256 of the problems that this run trains on
   * @return the state that the run goes on from
   */
  public RunState resume(RunKind kind, RunConfig config, CheckpointContents contents, String trainData) {
    if (resumeFrom.isEmpty()) {
      return RunState.start(kind, trainData);
    }
    Path folder = resumeFrom.get();
    RunState state = RunState.read(folder);
    if (state.kind() != kind) {
      throw new CheckpointException("checkpoint " + folder + " was written by " + state.kind().command() + ", so " + kind.command()
          + " cannot go on from it. To train its model further, name it in model.path; training.run_dir must then be another directory");
    }
    if (!state.trainData().equals(trainData)) {
      throw new CheckpointException("checkpoint " + folder + " was trained on other problems than those of this configuration"
          + " (group data, or training.seed for synthetic ones); restore them, or start over with --resume never");
    }
    ConfigDifference.requireSameRun(folder, config, kind);
    ModelState model = contents.model();
    try {
      ModelDirectory.loadInto(model.backend(), folder.resolve(MODEL), model.weights());
      OptimizerFile.load(model.backend(), contents.optimizer(), folder.resolve(OPTIMIZER));
      for (CheckpointPart part : contents.parts()) {
        part.read(folder);
      }
      contents.states().load(state.modules());
    } catch (IOException e) {
      throw new CheckpointException("checkpoint " + folder + " could not be read: " + IoReason.of(e), e);
    } catch (IllegalArgumentException e) {
      throw new CheckpointException("checkpoint " + folder + " cannot be gone on from: " + e.getMessage()
          + ". Restore the configuration that it was written with, or start over with --resume never", e);
    }
    boolean sameDirectory = Files.exists(path.resolve(JsonlTracker.METRICS_FILE));
    return sameDirectory ? state : state.withTrackerOffsets(Map.of());
  }

  /** Writes a checkpoint, unless this very one is there already. */
  public Optional<Path> checkpoint(RunState state, RunConfig config, CheckpointContents contents) {
    Path existing = path.resolve("checkpoints").resolve(String.format("step_%06d", state.step()));
    if (Files.isDirectory(existing) && CheckpointStore.damageOf(existing).isEmpty()) {
      return Optional.empty();
    }
    ModelState model = contents.model();
    return Optional.of(checkpoints.save(state.step(), folder -> {
      Files.createDirectory(folder.resolve(MODEL));
      ModelDirectory.save(model.backend(), model.weights(), folder.resolve(MODEL), model.source());
      OptimizerFile.save(model.backend(), contents.optimizer(), folder.resolve(OPTIMIZER));
      for (CheckpointPart part : contents.parts()) {
        part.write(folder);
      }
      Files.writeString(folder.resolve(CONFIG), ConfigLoader.toYaml(config));
      state.withModules(contents.states().save()).write(folder);
    }));
  }

  /** The finished model appears under its name when it is whole. */
  public void saveFinalModel(ModelState model) {
    Path temporary = path.resolve(".writing-" + MODEL);
    try {
      CheckpointStore.deleteRecursively(temporary);
      Files.createDirectories(temporary);
      ModelDirectory.save(model.backend(), model.weights(), temporary, model.source());
      CheckpointStore.deleteRecursively(model());
      Files.move(temporary, model(), StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new UncheckedIOException("the trained model could not be written to " + model() + " (" + IoReason.of(e)
          + "); the last checkpoint holds it too", e);
    }
  }

  public void writeEvaluation(int step, List<ScoredEpisode> greedy, List<ScoredEpisode> sampled) {
    Path folder = path.resolve("eval");
    Path file = folder.resolve(String.format("step_%06d.jsonl", step));
    List<Sample> completions = new ArrayList<>(Sample.of(step, Sample.EVAL_GREEDY, greedy));
    completions.addAll(Sample.of(step, Sample.EVAL_SAMPLED, sampled));
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new UncheckedIOException("the completions of the evaluation could not be written to " + file + ": " + IoReason.of(e), e);
    }
    try (SamplesFile samples = SamplesFile.create(file)) {
      completions.forEach(samples::append);
    }
  }

  /** A file is either the old one or the new one, on a full disk too. */
  private static void replace(Path file, String text) throws IOException {
    Path temporary = file.resolveSibling(".writing-" + file.getFileName());
    Files.writeString(temporary, text);
    Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
  }

  /** Renames a directory with a run in it to the first free NAME.1, NAME.2, … */
  private static Optional<Path> moveAside(Path path) {
    try {
      if (!Files.isDirectory(path) || isEmpty(path)) {
        return Optional.empty();
      }
      for (int i = 1; ; i++) {
        Path old = path.resolveSibling(path.getFileName() + "." + i);
        if (!Files.exists(old)) {
          return Optional.of(Files.move(path, old));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("the earlier run in " + path + " could not be moved aside: " + IoReason.of(e), e);
    }
  }

  private static boolean isEmpty(Path directory) throws IOException {
    try (Stream<Path> entries = Files.list(directory)) {
      return entries.findAny().isEmpty();
    }
  }
}
