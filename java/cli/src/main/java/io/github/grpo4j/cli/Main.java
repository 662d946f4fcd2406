package io.github.grpo4j.cli;

import io.github.grpo4j.run.IoReason;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The {@code grpo4j} command. Each subcommand is a class of this package; what they do is in the engine. */
@Command(
    name = "grpo4j",
    mixinStandardHelpOptions = true,
    version = "grpo4j 0.1.0",
    description = "Trains language models with GRPO on the JVM.",
    subcommands = {
      TrainCommand.class,
      SftCommand.class,
      EvalCommand.class,
      GenerateCommand.class,
      ScoreCommand.class,
      TokenizeCommand.class,
      InspectCommand.class,
      PlanCommand.class,
      BenchCommand.class,
      DoctorCommand.class,
      CommandLine.HelpCommand.class
    })
public final class Main implements Runnable {
  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  private Main() {}

  public static void main(String[] args) {
    // Model output is UTF-8 whatever the locale; a POSIX locale would turn it into question marks.
    System.setOut(new PrintStream(System.out, true, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(System.err, true, StandardCharsets.UTF_8));
    System.exit(run(args));
  }

  /** Runs a command line and returns its exit code. */
  static int run(String... args) {
    CommandLine commandLine = new CommandLine(new Main());
    commandLine.setCaseInsensitiveEnumValuesAllowed(true);
    commandLine.setExecutionExceptionHandler((error, command, parsed) -> report(error, command));
    commandLine.setParameterExceptionHandler(Main::reportUsage);
    commandLine.setUsageHelpWidth(100);
    commandLine.setOut(utf8(System.out));
    commandLine.setErr(utf8(System.err));
    try {
      return commandLine.execute(args);
    } catch (OutOfMemoryError e) {
      commandLine.getErr().println("grpo4j: the Java heap is too small (" + e.getMessage()
          + "); it holds texts and metrics, not weights. Raise it with GRPO4J_JAVA_OPTS=-Xmx4g");
      return ExitCodes.of(e);
    }
  }

  private static PrintWriter utf8(PrintStream stream) {
    return new PrintWriter(new OutputStreamWriter(stream, StandardCharsets.UTF_8), true);
  }

  /** A wrong option gets one sentence, not a page of help. */
  private static int reportUsage(CommandLine.ParameterException error, String[] args) {
    CommandLine command = error.getCommandLine();
    String message = error.getMessage().replaceFirst("^Error: ", "");
    boolean unknownCommand = error instanceof CommandLine.UnmatchedArgumentException unmatched && !unmatched.isUnknownOption()
        && command.getParent() == null;
    command.getErr().println("grpo4j: " + (unknownCommand
        ? "there is no command '" + args[0] + "'; the commands are " + String.join(", ", command.getSubcommands().keySet()) : message));
    if (!unknownCommand) {
      CommandLine.UnmatchedArgumentException.printSuggestions(error, command.getErr());
    }
    command.getErr().println("See " + command.getCommandSpec().qualifiedName() + " --help.");
    return ExitCodes.USAGE;
  }

  private static int report(Exception error, CommandLine command) {
    int code = ExitCodes.of(error);
    command.getErr().println("grpo4j: " + sentence(error));
    if (code == ExitCodes.INTERNAL) {
      command.getErr().println("This is a defect of grpo4j. Please report it with these lines:");
      error.printStackTrace(command.getErr());
    }
    return code;
  }

  private static String sentence(Exception error) {
    if (error instanceof IOException io) {
      return IoReason.of(io);
    }
    return error.getMessage() == null ? error.toString() : error.getMessage();
  }

  @Override
  public void run() {
    spec.commandLine().usage(System.out);
  }
}
