package io.github.grpo4j.cli;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.train.SftTrainer;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code grpo4j sft}: supervised warm-up. */
@Command(name = "sft", mixinStandardHelpOptions = true,
    description = {"Supervised warm-up on questions and worked solutions: the same update without RL.",
        "Ctrl-C stops in good order; the same command goes on."})
final class SftCommand implements Callable<Integer> {
  @Mixin private ConfigOptions config;

  @Mixin private RunOptions options;

  @Option(names = "--random-weights",
      description = "Start from seeded random weights; the model directory needs config.json and the tokenizer only.")
  private boolean randomWeights;

  @Override
  public Integer call() {
    RunConfig run = config.load(options.assignments());
    if (config.printed(run)) {
      return ExitCodes.OK;
    }
    try (Terminal terminal = Terminal.detect()) {
      TrainingView view = options.json() ? new JsonTrainingView(System.out) : new SftView(run, terminal);
      if (!options.json()) {
        terminal.progress("reading " + run.model().path() + " and the solutions");
      }
      try (SftTrainer trainer = SftTrainer.open(run, randomWeights, view);
          StopOnInterrupt ignored = new StopOnInterrupt(trainer::requestStop)) {
        view.finished(trainer.run(options.stopAfter()), trainer.directory());
      }
    }
    return ExitCodes.OK;
  }
}
