package io.github.grpo4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.bench.OptimizerBench;
import io.github.grpo4j.optim.AdamW.Placement;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code grpo4j bench optimizer}: what keeping the optimizer's state elsewhere costs. */
@Command(name = "optimizer", mixinStandardHelpOptions = true,
    description = "Speed of AdamW on all weights of a model, norm of the gradient included, with its state in each placement; weights are not read.")
final class BenchOptimizerCommand implements Callable<Integer> {
  private static final double GIGA = 1e9;

  @Mixin private BenchOptions options;

  @Option(names = "--placement", split = ",", defaultValue = "device,offload,host", paramLabel = "PLACEMENT",
      description = "Only these: ${COMPLETION-CANDIDATES} (all).")
  private List<PlacementOption> placements;

  @Option(names = "--repeat", defaultValue = "5", paramLabel = "N", description = "Repeats after a warm-up; medians are reported (5).")
  private int repeats;

  /** As optimizer.placement of a configuration. */
  private enum PlacementOption {
    device(Placement.DEVICE),
    offload(Placement.OFFLOAD),
    host(Placement.HOST);

    private final Placement placement;

    PlacementOption(Placement placement) {
      this.placement = placement;
    }
  }

  @Override
  public Integer call() {
    try (Backend backend = options.openBackend(); BenchReport report = options.report()) {
      report.heading(options.title(backend));
      OptimizerBench.Bus bus = OptimizerBench.bus(backend);
      report.result(toJson(bus), String.format(Locale.ROOT, "between the machine's memory and the device's: %,.1f GB/s in, %,.1f GB/s out",
          bus.inBytesPerSecond() / GIGA, bus.outBytesPerSecond() / GIGA));
      report.note(String.format("%-10s %12s %14s %10s %10s", "placement", "ms", "GB/s operands", "GB/s in", "GB/s out"));
      OptimizerBench.measure(backend, options.config(), options.dtype(), placements.stream().map(option -> option.placement).toList(), repeats,
          result -> report.result(toJson(result), row(result)));
    }
    return ExitCodes.OK;
  }

  private static String name(OptimizerBench.Result result) {
    return result.placement().name().toLowerCase(Locale.ROOT);
  }

  private static String row(OptimizerBench.Result result) {
    return String.format(Locale.ROOT, "%-10s %,12.2f %,14.1f %,10.1f %,10.1f", name(result), result.seconds() * 1e3, result.bytes() / result.seconds() / GIGA,
        result.busInBytes() / result.seconds() / GIGA, result.busOutBytes() / result.seconds() / GIGA);
  }

  private static ObjectNode toJson(OptimizerBench.Bus bus) {
    return JsonLines.JSON.createObjectNode().put("bus_in_gb_per_s", JsonLines.measured(bus.inBytesPerSecond() / GIGA))
        .put("bus_out_gb_per_s", JsonLines.measured(bus.outBytesPerSecond() / GIGA));
  }

  private static ObjectNode toJson(OptimizerBench.Result result) {
    return JsonLines.JSON.createObjectNode().put("placement", name(result)).put("ms", JsonLines.measured(result.seconds() * 1e3))
        .put("gb_per_s", JsonLines.measured(result.bytes() / result.seconds() / GIGA))
        .put("in_gb_per_s", JsonLines.measured(result.busInBytes() / result.seconds() / GIGA))
        .put("out_gb_per_s", JsonLines.measured(result.busOutBytes() / result.seconds() / GIGA));
  }
}
