package io.github.grpo4j.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.memory.MachineMemory;
import io.github.grpo4j.memory.MemoryPlan;
import io.github.grpo4j.memory.MemoryPlan.Memory;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code grpo4j plan}: the memory that a training run will take. */
@Command(name = "plan", mixinStandardHelpOptions = true,
    description = "Memory that a training run will take, of a GPU and of this machine, beside what is left; only config.json of the model is read.")
final class PlanCommand implements Callable<Integer> {
  @Mixin private ConfigOptions config;

  @Option(names = "--model", paramLabel = "DIR", description = "Model directory, run directory, checkpoint or builtin:tiny (model.path).")
  private String model;

  @Option(names = "--json", description = "One JSON object instead of the table.")
  private boolean json;

  @Override
  public Integer call() {
    List<String> assignments = new ArrayList<>();
    if (model != null) {
      assignments.add("model.path=" + model);
    }
    RunConfig run = config.load(assignments);
    if (config.printed(run)) {
      return ExitCodes.OK;
    }
    MemoryPlan plan = MemoryPlan.training(run);
    if (json) {
      JsonLines.print(System.out, toJson(run, plan));
    } else {
      print(Terminal.detect(), run, plan);
    }
    return plan.fits() ? ExitCodes.OK : ExitCodes.UNAVAILABLE;
  }

  private static void print(Terminal terminal, RunConfig run, MemoryPlan plan) {
    terminal.line(terminal.bold(run.model().path()) + "  " + plan.model().describe());
    for (Memory memory : plan.memories()) {
      if (plan.memories().size() > 1) {
        terminal.line(memory.title() + ":");
      }
      print(terminal, plan, memory);
    }
  }

  private static void print(Terminal terminal, MemoryPlan plan, Memory memory) {
    for (MemoryPlan.Part part : plan.parts(memory)) {
      terminal.line(row(part.name(), part.bytes()) + "   " + terminal.dim(part.about()));
    }
    terminal.line(terminal.bold(row("total", plan.totalBytes(memory))));
    if (plan.availableBytes(memory) == MachineMemory.UNKNOWN) {
      return;
    }
    terminal.line(row("available", plan.availableBytes(memory)) + "   "
        + (plan.fits(memory) ? terminal.green("it fits") : terminal.yellow("it does not fit")));
    if (!plan.fits(memory)) {
      terminal.line("To make it fit, the largest first:");
      plan.parts(memory).stream().filter(part -> !part.option().isEmpty()).sorted((a, b) -> Long.compare(b.bytes(), a.bytes()))
          .forEach(part -> terminal.line(String.format(Locale.ROOT, "  %-20s %s", part.name(), part.option())));
    }
  }

  private static String row(String name, long bytes) {
    return String.format(Locale.ROOT, "  %-20s %s", name, mib(bytes));
  }

  private static String mib(long bytes) {
    return String.format(Locale.ROOT, "%,12.1f MiB", bytes / (double) (1 << 20));
  }

  private static ObjectNode toJson(RunConfig run, MemoryPlan plan) {
    ObjectNode object = JsonLines.JSON.createObjectNode();
    object.put("model", run.model().path()).put("architecture", plan.model().family().architecture())
        .put("parameters", plan.model().parameterCount());
    ArrayNode parts = object.putArray("parts");
    plan.parts().forEach(part -> parts.addObject().put("name", part.name()).put("memory", part.memory().name().toLowerCase(Locale.ROOT))
        .put("bytes", part.bytes()).put("about", part.about()).put("option", part.option()));
    for (Memory memory : plan.memories()) {
      String prefix = memory == Memory.GPU ? "gpu_" : "";
      object.put(prefix + "total_bytes", plan.totalBytes(memory));
      if (plan.availableBytes(memory) == MachineMemory.UNKNOWN) {
        object.putNull(prefix + "available_bytes");
      } else {
        object.put(prefix + "available_bytes", plan.availableBytes(memory));
      }
    }
    return object.put("fits", plan.fits());
  }
}
