package io.github.grpo4j.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;

/** {@code grpo4j bench}: how fast a model runs on this machine. */
@Command(name = "bench", mixinStandardHelpOptions = true,
    description = "Measures generation, the training step, single kernels and the optimizer on this machine, with nothing else running.",
    subcommands = {BenchRolloutCommand.class, BenchStepCommand.class, BenchKernelsCommand.class, BenchOptimizerCommand.class})
final class BenchCommand implements Runnable {
  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Override
  public void run() {
    spec.commandLine().usage(System.out);
  }
}
