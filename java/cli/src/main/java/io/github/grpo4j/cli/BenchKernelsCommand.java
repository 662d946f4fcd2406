package io.github.grpo4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.backend.CpuBackend;
import io.github.grpo4j.backend.CpuCeilings;
import io.github.grpo4j.bench.Kernel;
import io.github.grpo4j.bench.KernelBench;
import io.github.grpo4j.model.ModelConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code grpo4j bench kernels}: every op beside what the machine can do. */
@Command(name = "kernels", mixinStandardHelpOptions = true,
    description = "Speed of every op at the shapes of a model, beside this machine's measured ceilings; weights are not read.")
final class BenchKernelsCommand implements Callable<Integer> {
  private static final double GIGA = 1e9;

  @Mixin private BenchOptions options;

  @Option(names = "--op", split = ",", paramLabel = "OP", description = "Only these: ${COMPLETION-CANDIDATES}.")
  private List<Kernel> ops = new ArrayList<>();

  @Override
  public Integer call() {
    ModelConfig model = options.config();
    Terminal terminal = Terminal.detect();
    try (CpuBackend backend = options.openProcessor()) {
      CpuCeilings ceilings = CpuCeilings.measure(backend, options.dtype());
      if (options.json) {
        JsonLines.print(System.out, JsonLines.JSON.createObjectNode().put("ceiling", backend.description())
            .put("gflops", JsonLines.measured(ceilings.multiplyAddPerSecond() / GIGA)).put("gb_per_s", JsonLines.measured(ceilings.readBytesPerSecond() / GIGA)));
      } else {
        terminal.line(terminal.bold(options.title(backend)));
        terminal.line(String.format(Locale.ROOT, "ceilings of this machine: %.1f GFLOP/s multiplying and adding, %.1f GB/s reading memory",
            ceilings.multiplyAddPerSecond() / GIGA, ceilings.readBytesPerSecond() / GIGA));
        terminal.line(terminal.dim(String.format("%-24s %-22s %10s %10s %5s %10s %5s", "op", "shape", "us", "GFLOP/s", "%", "GB/s", "%")));
      }
      for (Kernel kernel : ops.isEmpty() ? List.of(Kernel.values()) : ops) {
        KernelBench.Result result = KernelBench.measure(backend, model, options.dtype(), kernel);
        if (options.json) {
          JsonLines.print(System.out, toJson(result));
        } else {
          terminal.line(row(result, ceilings));
        }
      }
      if (!options.json) {
        terminal.line(terminal.dim("More than 100 % of the memory's ceiling: the operands of repeated calls stay in the caches."));
      }
    }
    return ExitCodes.OK;
  }

  private static String name(KernelBench.Result result) {
    return result.kernel().name().toLowerCase(Locale.ROOT);
  }

  private static String row(KernelBench.Result result, CpuCeilings ceilings) {
    return String.format(Locale.ROOT, "%-24s %-22s %,10.1f %10.1f %5.0f %10.1f %5.0f", name(result), result.shape(), result.seconds() * 1e6,
        result.operationsPerSecond() / GIGA, 100 * result.operationsPerSecond() / ceilings.multiplyAddPerSecond(),
        result.bytesPerSecond() / GIGA, 100 * result.bytesPerSecond() / ceilings.readBytesPerSecond());
  }

  private static ObjectNode toJson(KernelBench.Result result) {
    return JsonLines.JSON.createObjectNode().put("op", name(result)).put("shape", result.shape())
        .put("us", JsonLines.measured(result.seconds() * 1e6)).put("gflops", JsonLines.measured(result.operationsPerSecond() / GIGA))
        .put("gb_per_s", JsonLines.measured(result.bytesPerSecond() / GIGA));
  }
}
