package io.github.grpo4j.cli;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.train.Trainer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code grpo4j train}: the main job. */
@Command(name = "train", mixinStandardHelpOptions = true, description = "Trains a model with GRPO. Ctrl-C stops in good order; the same command goes on.")
final class TrainCommand implements Callable<Integer> {
  @Mixin private ConfigOptions config;

  @Option(names = "--run-dir", paramLabel = "DIR", description = "Directory of everything the run writes (training.run_dir).")
  private Path runDir;

  @Option(names = "--resume", paramLabel = "auto|never|PATH",
      description = "auto: go on from the newest checkpoint of the run directory; never: start anew; or a checkpoint (training.resume).")
  private String resume;

  @Option(names = "--stop-after", paramLabel = "STEP", defaultValue = "2147483647",
      description = "Stop, with a checkpoint, after this step; schedules still aim at the whole run.")
  private int stopAfter;

  @Option(names = "--json", description = "One JSON object a line on standard output instead of the console view.")
  private boolean json;

  @Override
  public Integer call() {
    List<String> assignments = new ArrayList<>();
    if (runDir != null) {
      assignments.add("training.run_dir=" + runDir);
    }
    if (resume != null) {
      assignments.add("training.resume=" + resume);
    }
    RunConfig run = config.load(assignments);
    if (config.printed(run)) {
      return ExitCodes.OK;
    }
    try (Terminal terminal = Terminal.detect()) {
      TrainingView view = json ? new JsonTrainingView(System.out) : new ConsoleTrainingView(run, terminal);
      if (!json) {
        terminal.progress("reading " + run.model().path() + " and the problems");
      }
      try (Trainer trainer = Trainer.open(run, view); StopOnInterrupt ignored = new StopOnInterrupt(trainer::requestStop)) {
        view.finished(trainer.run(stopAfter), trainer.directory());
      }
    }
    return ExitCodes.OK;
  }
}
