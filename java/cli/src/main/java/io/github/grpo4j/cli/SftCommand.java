package io.github.grpo4j.cli;

import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.train.SftTrainer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code grpo4j sft}: supervised warm-up. */
@Command(name = "sft", mixinStandardHelpOptions = true, description = "Supervised warm-up on questions and worked solutions: the same update without RL.")
final class SftCommand implements Callable<Integer> {
  @Mixin private ConfigOptions config;

  @Option(names = "--run-dir", paramLabel = "DIR", description = "Directory of everything the run writes; an earlier run in it is moved aside.")
  private Path runDir;

  @Option(names = "--random-weights", description = "Start from seeded random weights; the model directory needs config.json and the tokenizer only.")
  private boolean randomWeights;

  @Option(names = "--json", description = "One JSON object a line on standard output instead of the console view.")
  private boolean json;

  @Override
  public Integer call() {
    List<String> assignments = new ArrayList<>(List.of("training.resume=never"));
    if (runDir != null) {
      assignments.add("training.run_dir=" + runDir);
    }
    RunConfig run = config.load(assignments);
    if (config.printed(run)) {
      return ExitCodes.OK;
    }
    try (Terminal terminal = Terminal.detect()) {
      TrainingView view = json ? new JsonTrainingView(System.out) : new SftView(run, terminal);
      if (!json) {
        terminal.progress("reading " + run.model().path() + " and the solutions");
      }
      try (SftTrainer trainer = SftTrainer.open(run, randomWeights, view); StopOnInterrupt ignored = new StopOnInterrupt(trainer::requestStop)) {
        view.finished(trainer.run(), trainer.directory());
      }
    }
    return ExitCodes.OK;
  }
}
