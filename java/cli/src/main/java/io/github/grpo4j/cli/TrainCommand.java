package io.github.grpo4j.cli;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.train.Trainer;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code grpo4j train}: the main job. */
@Command(name = "train", mixinStandardHelpOptions = true,
    description = "Trains a model with GRPO. Ctrl-C stops in good order; the same command goes on.")
final class TrainCommand implements Callable<Integer> {
  @Mixin private ConfigOptions config;

  @Mixin private RunOptions options;

  @Override
  public Integer call() {
    RunConfig run = config.load(options.assignments());
    if (config.printed(run)) {
      return ExitCodes.OK;
    }
    try (Terminal terminal = Terminal.detect()) {
      TrainingView view = options.json() ? new JsonTrainingView(System.out) : new ConsoleTrainingView(run, terminal);
      if (!options.json()) {
        terminal.progress("reading " + run.model().path() + " and the problems");
      }
      try (Trainer trainer = Trainer.open(run, view); StopOnInterrupt ignored = new StopOnInterrupt(trainer::requestStop)) {
        view.finished(trainer.run(options.stopAfter()), trainer.directory());
      }
    }
    return ExitCodes.OK;
  }
}
