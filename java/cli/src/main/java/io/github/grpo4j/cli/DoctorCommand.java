package io.github.grpo4j.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.backend.cpu.CpuBackend;
import io.github.grpo4j.backend.cuda.CudaInstallation;
import io.github.grpo4j.backend.cuda.cudnn.CudnnInstallation;
import io.github.grpo4j.backend.cuda.runtime.CudaDeviceInfo;
import io.github.grpo4j.backend.cuda.runtime.CudaLibrary;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code grpo4j doctor}: what this machine has to compute on, what is missing for a GPU, and how to get it. */
@Command(name = "doctor", mixinStandardHelpOptions = true,
    description = "What this machine has to compute on, what is missing for a GPU, and how to get it.")
final class DoctorCommand implements Callable<Integer> {
  @Option(names = "--json", description = "One JSON object instead of the table.")
  private boolean json;

  @Override
  public Integer call() {
    String processor;
    try (CpuBackend cpu = CpuBackend.create(Runtime.getRuntime().availableProcessors())) {
      processor = cpu.description();
    }
    List<CudaLibrary> libraries = CudaInstallation.search();
    CudaInstallation cuda = CudaInstallation.find();
    CudaLibrary cudnn = CudnnInstallation.search();
    Optional<CudnnInstallation> loaded = cuda.usable() ? Optional.of(CudnnInstallation.find()) : Optional.empty();
    if (json) {
      JsonLines.print(System.out, toJson(processor, libraries, cuda, cudnn, loaded));
    } else {
      print(Terminal.detect(), processor, libraries, cuda, cudnn, loaded);
    }
    return ExitCodes.OK;
  }

  private static void print(Terminal terminal, String processor, List<CudaLibrary> libraries, CudaInstallation cuda, CudaLibrary cudnn,
      Optional<CudnnInstallation> loaded) {
    row(terminal, "Java", System.getProperty("java.vm.name") + " " + System.getProperty("java.version"));
    row(terminal, "processor", processor);
    for (CudaLibrary library : libraries) {
      row(terminal, library.fileName(), library.found() ? library.path().toString() : terminal.yellow("missing; " + library.remedy()));
    }
    row(terminal, cudnn.fileName(), describe(cudnn, loaded));
    row(terminal, "GPU", cuda.device().map(DoctorCommand::describe).orElse("none"));
    row(terminal, "auto takes", cuda.usable() ? terminal.green("the GPU") : "the processor: " + cuda.problem().get());
  }

  /** Nothing but {@code backend.attention: cudnn} needs it, so its absence is no warning. */
  private static String describe(CudaLibrary cudnn, Optional<CudnnInstallation> loaded) {
    if (!cudnn.found()) {
      return "not found, and not needed but for backend.attention: cudnn; " + cudnn.remedy();
    }
    return cudnn.path() + loaded.map(cuda -> cuda.usable() ? ", cuDNN " + cuda.versionText() : "; " + cuda.problem().get()).orElse("");
  }

  private static String describe(CudaDeviceInfo device) {
    return String.format(Locale.ROOT, "%s, compute capability %s, %d multiprocessors, %.1f GiB; the driver supports CUDA %s, the runtime is %s",
        device.name(), device.capabilityText(), device.multiprocessors(), device.memoryBytes() / (double) (1L << 30),
        CudaDeviceInfo.versionText(device.driverVersion()), CudaDeviceInfo.versionText(device.runtimeVersion()));
  }

  private static void row(Terminal terminal, String name, String value) {
    terminal.line(String.format(Locale.ROOT, "  %-20s %s", name, value));
  }

  private static ObjectNode toJson(String processor, List<CudaLibrary> libraries, CudaInstallation cuda, CudaLibrary cudnn,
      Optional<CudnnInstallation> loaded) {
    ObjectNode object = JsonLines.JSON.createObjectNode();
    object.put("java", System.getProperty("java.version")).put("processor", processor);
    ArrayNode array = object.putArray("libraries");
    for (CudaLibrary library : libraries) {
      array.addObject().put("name", library.fileName()).put("path", library.found() ? library.path().toString() : null)
          .put("remedy", library.found() ? null : library.remedy());
    }
    object.putObject("cudnn").put("path", cudnn.found() ? cudnn.path().toString() : null)
        .put("version", loaded.filter(CudnnInstallation::usable).map(CudnnInstallation::versionText).orElse(null))
        .put("problem", cudnn.found() ? loaded.flatMap(CudnnInstallation::problem).orElse(null) : cudnn.missing());
    Optional<CudaDeviceInfo> device = cuda.device();
    if (device.isEmpty()) {
      object.putNull("gpu");
    } else {
      object.putObject("gpu").put("name", device.get().name()).put("compute_capability", device.get().capabilityText())
          .put("multiprocessors", device.get().multiprocessors()).put("memory_bytes", device.get().memoryBytes())
          .put("driver_cuda", CudaDeviceInfo.versionText(device.get().driverVersion()))
          .put("runtime_cuda", CudaDeviceInfo.versionText(device.get().runtimeVersion()));
    }
    return object.put("cuda_usable", cuda.usable()).put("problem", cuda.problem().orElse(null));
  }
}
