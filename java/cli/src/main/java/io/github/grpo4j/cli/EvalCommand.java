package io.github.grpo4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.eval.AccuracyInterval;
import io.github.grpo4j.eval.Evaluation;
import io.github.grpo4j.eval.Evaluator;
import io.github.grpo4j.reward.RewardFailures;
import io.github.grpo4j.rollout.SamplingParams;
import io.github.grpo4j.run.ModelLocation;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code grpo4j eval}: how many held-out problems a model solves. */
@Command(name = "eval", mixinStandardHelpOptions = true,
    description = "Measures accuracy on held-out problems. Prompt, reward and limits are those of --config, or of the run that made the model.")
final class EvalCommand implements Callable<Integer> {
  private static final String SYNTHETIC = "synthetic";

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Mixin private ConfigOptions config;

  @Option(names = "--model", paramLabel = "DIR",
      description = "Model directory, run directory, checkpoint or builtin:tiny (model.path of the configuration).")
  private String model;

  @Option(names = "--data", paramLabel = "FILE",
      description = "Problems: a .jsonl or .parquet file of question and answer, a directory with a test split, or synthetic (data.path).")
  private String data;

  @Option(names = "--limit", paramLabel = "N", description = "Only the first N problems (data.eval_limit).")
  private Integer limit;

  @Option(names = "--samples", paramLabel = "K", description = "Answers sampled per problem (1); accuracy is over all of them.")
  private Integer samples;

  @Mixin private SamplingOptions sampling;

  @Option(names = "--dtype", converter = StorageType.class, paramLabel = "TYPE", description = StorageType.HELP + " (model.dtype).")
  private DType dtype;

  @Option(names = "--threads", paramLabel = "N", description = "Threads of the CPU back end; 0 takes all cores (backend.threads).")
  private Integer threads;

  @Option(names = {"--out", "--answers-file"}, paramLabel = "FILE", description = "Where every answer is kept, one JSON object a line (runs/eval/TIME.jsonl).")
  private Path out;

  @Option(names = "--json", description = "One JSON object on standard output instead of the table.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    RunConfig run = load();
    if (config.printed(run)) {
      return ExitCodes.OK;
    }
    int perProblem = samples == null ? 1 : samples;
    SamplingParams params = sampling.params(run.rollout().sampling());
    if (perProblem < 1 || params.temperature() == 0 && perProblem > 1) {
      throw new CommandLine.ParameterException(spec.commandLine(),
          perProblem < 1 ? "--samples must be at least 1" : "--samples is of no use with --greedy: every answer to a problem would be the same");
    }
    Path answers = writable(out != null ? out : Path.of("runs", "eval", LocalDateTime.now().format(DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss")) + ".jsonl"));
    EvaluationProgress progress = new EvaluationProgress();
    try (StopOnInterrupt ignored = new StopOnInterrupt(progress::requestStop)) {
      return evaluate(run, perProblem, params, progress, answers);
    }
  }

  private int evaluate(RunConfig run, int perProblem, SamplingParams params, EvaluationProgress progress, Path answers) {
    try (Terminal terminal = Terminal.detect(); Evaluation evaluation = Evaluation.open(run, perProblem)) {
      Evaluator.Result result = evaluation.run(params, progress.on(json ? terminal.silent() : terminal), answers);
      if (json) {
        JsonLines.print(System.out, toJson(run, evaluation, perProblem, params, result, answers));
      } else {
        print(terminal, run, evaluation, perProblem, params, result);
        terminal.line("  answers     " + answers);
      }
      return ExitCodes.OK;
    } catch (CancellationException e) {
      // Said here, where an interrupted process is held up: it ends as soon as the hook lets go.
      spec.commandLine().getErr().println("grpo4j: " + e.getMessage() + "; they are in " + answers);
      return ExitCodes.INTERRUPTED;
    }
  }

  private RunConfig load() {
    List<String> assignments = new ArrayList<>();
    if (model != null) {
      assignments.add("model.path=" + model);
    }
    if (data != null) {
      assignments.add("data.kind=" + (data.equals(SYNTHETIC) ? "synthetic" : "gsm8k"));
      assignments.add("data.path=" + (data.equals(SYNTHETIC) ? "" : data));
    }
    add(assignments, "data.eval_limit", limit);
    add(assignments, "model.dtype", dtype == null ? null : dtype.optionName());
    add(assignments, "backend.threads", threads);
    add(assignments, "rollout.max_new_tokens", sampling.maxNewTokens);
    add(assignments, "training.seed", sampling.seed);
    return config.load(ModelLocation.find(model == null ? RunConfig.DEFAULTS.model().path() : model).config(), assignments);
  }

  private static void add(List<String> assignments, String option, Object value) {
    if (value != null) {
      assignments.add(option + "=" + value);
    }
  }

  /** A long evaluation must not end with a file that cannot be written. */
  private static Path writable(Path file) throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    Files.createDirectories(folder);
    if (!Files.isWritable(Files.exists(file) ? file : folder) || Files.isDirectory(file)) {
      throw new AccessDeniedException(file.toString(), null, "the answers cannot be written there; choose another --out");
    }
    return file;
  }

  private static void print(Terminal terminal, RunConfig run, Evaluation evaluation, int perProblem, SamplingParams params, Evaluator.Result result) {
    AccuracyInterval accuracy = result.accuracy();
    terminal.line(terminal.bold(run.model().path()) + " on " + evaluation.problems().name() + ": " + evaluation.problems().size() + " problems, "
        + (params.temperature() == 0 ? "greedy" : String.format(Locale.ROOT, "%d sampled at temperature %.2f", perProblem, params.temperature()))
        + ", at most " + params.maxNewTokens() + " new tokens");
    terminal.line(String.format(Locale.ROOT, "  accuracy  %s   95 %% interval %.1f to %.1f %%, %,d of %,d", terminal.bold(percent(accuracy.accuracy())),
        100 * accuracy.low(), 100 * accuracy.high(), accuracy.right(), accuracy.total()));
    terminal.line(String.format(Locale.ROOT, "  lenient   %s   the last number is right, wherever it stands", percent(result.rates().lenientAccuracy())));
    terminal.line(String.format(Locale.ROOT, "  format    %s", percent(result.rates().format())));
    terminal.line(String.format(Locale.ROOT, "  truncated %s", percent(result.rates().truncated())));
    RewardFailures.describe(result.completions()).ifPresent(what -> terminal.line("  " + terminal.yellow(what)));
    terminal.line(String.format(Locale.ROOT, "  length    %7.1f   tokens on average", result.meanTokens()));
    terminal.line(String.format(Locale.ROOT, "  speed     %,7.0f   tokens/s, %.1f s on %s", result.stats().tokensPerSecond(), result.stats().seconds(),
        evaluation.device()));
  }

  private static String percent(double share) {
    return String.format(Locale.ROOT, "%7.1f %%", 100 * share);
  }

  private static ObjectNode toJson(
      RunConfig run, Evaluation evaluation, int perProblem, SamplingParams params, Evaluator.Result result, Path answers) {
    AccuracyInterval accuracy = result.accuracy();
    return JsonLines.JSON.createObjectNode().put("model", run.model().path()).put("data", evaluation.problems().name())
        .put("problems", evaluation.problems().size()).put("samples", perProblem).put("greedy", params.temperature() == 0)
        .put("temperature", params.temperature()).put("max_new_tokens", params.maxNewTokens())
        .put("right", accuracy.right()).put("total", accuracy.total()).put("accuracy", accuracy.accuracy())
        .put("accuracy_low", accuracy.low()).put("accuracy_high", accuracy.high())
        .put("lenient_accuracy", result.rates().lenientAccuracy())
        .put("format_rate", result.rates().format()).put("truncated_rate", result.rates().truncated()).put("mean_length", result.meanTokens())
        .put("new_tokens", result.stats().newTokens()).put("seconds", result.stats().seconds())
        .put("tokens_per_s", result.stats().tokensPerSecond()).put("answers", answers.toString());
  }
}
