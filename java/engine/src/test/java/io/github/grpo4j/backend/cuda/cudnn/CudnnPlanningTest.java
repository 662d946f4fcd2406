package io.github.grpo4j.backend.cuda.cudnn;

import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_ENGINEHEUR_DEVICEPROP;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_CHAR;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.AttentionShape;
import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.backend.cuda.runtime.CudaLibraryPath;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/**
 * NVIDIA's own cuDNN takes the graphs of {@link CudnnAttentionGraph} and makes plans of them, kernels compiled, for GPUs that are
 * only described to it: that needs no GPU, and so it shows nothing about results or speed. It runs where the libraries are given:
 *
 * <pre>
 * python3 -m venv cudnn && cudnn/bin/pip install nvidia-cudnn-cu13==9.19.1.2 nvidia-cublas==13.1.1.3 nvidia-cuda-nvrtc==13.1.115
 * ./mvnw test -pl java/engine -Dtest=CudnnPlanningTest -Dgrpo4j.cudnn.path=$PWD/cudnn/lib/python3.11/site-packages/nvidia
 * </pre>
 */
class CudnnPlanningTest {
  private static final String PROPERTY = "grpo4j.cudnn.path";
  private static final int HOPPER = 900;
  private static final int AMPERE = 800;
  private static final List<AttentionShape> SHAPES = List.of(new AttentionShape(14, 2, 64), new AttentionShape(16, 2, 128), new AttentionShape(4, 4, 256),
      new AttentionShape(4, 2, 16), new AttentionShape(3, 3, 8));

  @Test
  void nvidiasLibraryHasKernelsForTheseGraphs() throws Exception {
    String wheels = System.getProperty(PROPERTY);
    Path driver = Path.of(System.getProperty("grpo4j.root"), "target", "cmake", "lib", "emulated");
    Assumptions.assumeTrue(wheels != null && Files.exists(driver.resolve("libcuda.so.1")), PROPERTY + " is not set");
    List<String> lines = plan(Path.of(wheels), driver);
    assertTrue(lines.get(0).startsWith("cuDNN 9."), lines.get(0));
    int line = 1;
    for (AttentionShape shape : SHAPES) {
      assertEquals(shape + " forward on 900: a plan", lines.get(line++));
      assertEquals(shape + " backward on 900: a plan", lines.get(line++));
      assertEquals(shape + " forward on 800: a plan", lines.get(line++));
      assertEquals(shape + " backward on 800: cuDNN has no kernel for this: it suggests nothing", lines.get(line++));
    }
  }

  /** The driver is the emulated one, cuBLAS is not: cuDNN asks it for its version. */
  private static List<String> plan(Path wheels, Path driver) throws Exception {
    String path = String.join(File.pathSeparator, wheels.resolve("cudnn/lib").toString(), wheels.resolve("cu13/lib").toString(), driver.toString());
    ProcessBuilder builder = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx256m",
        "-D" + CudaLibraryPath.PROPERTY + "=" + path,
        "-Dorg.bytedeco.javacpp.cachedir=" + System.getProperty("org.bytedeco.javacpp.cachedir"),
        "-cp", System.getProperty("java.class.path"), Planner.class.getName());
    Process process = builder.redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    return output.lines().filter(line -> !line.startsWith("Could not load symbol ")).toList(); // of the driver; cuDNN does without
  }

  /** A GPU that is described to cuDNN. */
  private record Described(CudnnDescriptor properties) implements CudnnTarget {
    /** What an H100 says of itself, but for its generation, which decides which kernels there are. */
    static Described gpu(int version) {
      String json = """
          {"deviceVer": %d, "deviceName": "described", "multiProcessorCount": 132, "warpSize": 32, "regsPerBlock": 65536,
           "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 232448, "reservedSharedMemoryPerBlock": 1024,
           "maxRegistersPerSM": 65536, "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048,
           "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64], "totalGlobalMem": 85899345920,
           "smClockRateKHz": 1980000, "memClockRateKHz": 2619000, "memoryBusWidth": 5120, "l2CacheSize": 52428800,
           "supportCoopLaunch": 1, "isTccDriver": 0, "pciDeviceId": 0, "cudaDeviceId": 0, "driverVer": 13010}
          """.formatted(version);
      byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
      CudnnDescriptor properties = new CudnnDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
      try (BytePointer text = new BytePointer(bytes)) {
        properties.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, bytes.length, text);
      }
      return new Described(properties.finish());
    }

    @Override
    public void describeTo(CudnnGraph.Stage stage, CudnnDescriptor descriptor) {
      if (stage == CudnnGraph.Stage.HEURISTICS) {
        descriptor.descriptors(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, properties);
      }
    }
  }

  /** The JVM that has NVIDIA's libraries. */
  static final class Planner {
    private Planner() {}

    public static void main(String[] args) {
      CudaLibraryPath path = new CudaLibraryPath();
      for (String library : List.of("libcuda.so.1", "libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13")) {
        System.load(path.find(library).toString());
      }
      CudnnInstallation installation = CudnnInstallation.find();
      System.out.println(installation.usable() ? "cuDNN " + installation.versionText() : installation.problem().get());
      Described hopper = Described.gpu(HOPPER);
      Described ampere = Described.gpu(AMPERE);
      for (AttentionShape shape : SHAPES) {
        System.out.println(shape + " forward on 900: " + plan(CudnnAttentionGraph.forward(shape, CudnnGraph.Type.BF16, 4, 256), hopper));
        System.out.println(shape + " backward on 900: " + plan(CudnnAttentionGraph.backward(shape, CudnnGraph.Type.BF16, 4, 256), hopper));
        System.out.println(shape + " forward on 800: " + plan(CudnnAttentionGraph.forward(shape, CudnnGraph.Type.BF16, 4, 256), ampere));
        System.out.println(shape + " backward on 800: " + plan(CudnnAttentionGraph.backward(shape, CudnnGraph.Type.BF16, 4, 256), ampere));
      }
    }

    private static String plan(CudnnAttentionGraph graph, CudnnTarget target) {
      try (graph) {
        return graph.plan(target).workspaceBytes() >= 0 ? "a plan" : "a plan that makes no sense";
      } catch (BackendException e) {
        return e.getMessage();
      }
    }
  }
}
