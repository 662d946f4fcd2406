package io.github.grpo4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.backend.cuda.CudaBackend;
import io.github.grpo4j.bench.Ceilings;
import io.github.grpo4j.bench.Kernel;
import io.github.grpo4j.bench.KernelBench;
import io.github.grpo4j.bench.KernelLoad;
import io.github.grpo4j.model.ModelConfig;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code grpo4j bench kernels}: every op beside what the machine can do. */
@Command(name = "kernels", mixinStandardHelpOptions = true,
    description = "Speed of every op at the shapes of a model, beside the device's measured ceilings; weights are not read.")
final class BenchKernelsCommand implements Callable<Integer> {
  private static final double GIGA = 1e9;
  /** What cuDNN has, too: the baseline. */
  private static final Set<Kernel> CUDNN = EnumSet.of(Kernel.ATTENTION, Kernel.ATTENTION_BACKWARD);

  @Mixin private BenchOptions options;

  @Option(names = "--op", split = ",", paramLabel = "OP", description = "Only these: ${COMPLETION-CANDIDATES}.")
  private List<Kernel> ops = new ArrayList<>();

  @Option(names = "--sequences", paramLabel = "N", description = "Sequences of training (a processor: 4, a GPU: 64).")
  private Integer sequences;

  @Option(names = "--length", paramLabel = "N", description = "Tokens of each of them (128, 1024).")
  private Integer length;

  @Option(names = "--rows", paramLabel = "N", description = "Sequences decoded together (8, 256).")
  private Integer rows;

  @Option(names = "--cached", paramLabel = "N", description = "Positions of each of them in the cache (200, 512).")
  private Integer cached;

  @Option(names = "--logit-rows", paramLabel = "N", description = "Rows of logits (64, 512).")
  private Integer logitRows;

  @Option(names = "--matrices", paramLabel = "N", description = "Matrices of the MLP that the optimizer's kernels see at once (1, 8).")
  private Integer matrices;

  @Override
  public Integer call() {
    ModelConfig model = options.config();
    try (Backend backend = options.openBackend(); BenchReport report = options.report()) {
      KernelLoad load = load(KernelLoad.of(backend));
      report.heading(options.title(backend));
      Ceilings ceilings = Ceilings.measure(backend, options.dtype());
      report.result(toJson(ceilings, backend), String.format(Locale.ROOT, "ceilings: %,.1f GFLOP/s (%s), %,.1f GB/s (%s)",
          ceilings.operationsPerSecond() / GIGA, ceilings.operation(), ceilings.bytesPerSecond() / GIGA, ceilings.traffic()));
      report.note(String.format("%-26s %-22s %10s %11s %5s %10s %5s", "op", "shape", "us", "GFLOP/s", "%", "GB/s", "%"));
      for (Kernel kernel : ops.isEmpty() ? List.of(Kernel.values()) : ops) {
        KernelBench.Result result = KernelBench.measure(backend, model, options.dtype(), kernel, load);
        report.result(toJson(name(result), result), row(name(result), result, ceilings));
        if (backend instanceof CudaBackend && CUDNN.contains(kernel)) {
          besideCudnn(report, model, kernel, load, ceilings);
        }
      }
      report.note("More than 100 % of the memory's ceiling: the operands of repeated calls stay in the caches.");
    }
    return ExitCodes.OK;
  }

  /** The same op by cuDNN, or why not. */
  private void besideCudnn(BenchReport report, ModelConfig model, Kernel kernel, KernelLoad load, Ceilings ceilings) {
    String name = kernel.name().toLowerCase(Locale.ROOT);
    try (Backend cudnn = options.openCudnn()) {
      KernelBench.Result result = KernelBench.measure(cudnn, model, options.dtype(), kernel, load);
      report.result(toJson(name + "_cudnn", result), row(name + " (cuDNN)", result, ceilings));
    } catch (BackendException e) {
      report.note(name + " (cuDNN): " + e.getMessage());
    }
  }

  private KernelLoad load(KernelLoad usual) {
    return new KernelLoad(or(sequences, usual.sequences()), or(length, usual.length()), or(rows, usual.rows()), or(cached, usual.cached()),
        or(logitRows, usual.logitRows()), or(matrices, usual.matrices()));
  }

  private static int or(Integer given, int usual) {
    return given == null ? usual : given;
  }

  private static String name(KernelBench.Result result) {
    return result.kernel().name().toLowerCase(Locale.ROOT);
  }

  private static String row(String name, KernelBench.Result result, Ceilings ceilings) {
    return String.format(Locale.ROOT, "%-26s %-22s %,10.1f %,11.1f %5.0f %,10.1f %5.0f", name, result.shape(), result.seconds() * 1e6,
        result.operationsPerSecond() / GIGA, 100 * result.operationsPerSecond() / ceilings.operationsPerSecond(),
        result.bytesPerSecond() / GIGA, 100 * result.bytesPerSecond() / ceilings.bytesPerSecond());
  }

  private ObjectNode toJson(Ceilings ceilings, Backend backend) {
    return JsonLines.JSON.createObjectNode().put("ceiling", backend.description()).put("dtype", options.dtypeName())
        .put("gflops", JsonLines.measured(ceilings.operationsPerSecond() / GIGA)).put("gflops_by", ceilings.operation())
        .put("gb_per_s", JsonLines.measured(ceilings.bytesPerSecond() / GIGA)).put("gb_per_s_by", ceilings.traffic());
  }

  private static ObjectNode toJson(String name, KernelBench.Result result) {
    return JsonLines.JSON.createObjectNode().put("op", name).put("shape", result.shape())
        .put("us", JsonLines.measured(result.seconds() * 1e6)).put("gflops", JsonLines.measured(result.operationsPerSecond() / GIGA))
        .put("gb_per_s", JsonLines.measured(result.bytesPerSecond() / GIGA));
  }
}
