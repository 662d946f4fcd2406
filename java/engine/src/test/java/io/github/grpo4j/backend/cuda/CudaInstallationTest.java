package io.github.grpo4j.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.backend.AttentionKernels;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.backend.cuda.runtime.CudaLibraryPath;
import io.github.grpo4j.config.BackendOptions;
import io.github.grpo4j.config.BackendOptions.Device;
import io.github.grpo4j.session.ModelSession;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.javacpp.Loader;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Machines with and without the parts of CUDA, played by the emulated GPU. A JVM looks once, so each machine is a JVM of its own,
 * which opens a back end with auto and one with cuda.
 */
class CudaInstallationTest {
  private static final Path EMULATED = Path.of(System.getProperty("grpo4j.root"), "target", "cmake", "lib", "emulated");
  private static final String FALLBACK = "CPU, ";

  @TempDir private Path empty;

  @BeforeAll
  static void emulation() {
    Assumptions.assumeTrue(Files.exists(EMULATED.resolve("libcuda.so.1")), "no emulated GPU on this platform");
  }

  @Test
  void withoutADriver() throws Exception {
    assertFallsBack(open(empty, null), "no NVIDIA driver (libcuda.so.1) was found");
  }

  @Test
  void withADriverButNoRuntime() throws Exception {
    assertFallsBack(open(only("libcuda.so.1"), null),
        "libcudart.so.13 (the CUDA runtime) was not found; install CUDA 13, or pip install 'nvidia-cuda-runtime>=13,<14'");
  }

  @Test
  void withoutCublas() throws Exception {
    assertFallsBack(open(only("libcuda.so.1", "libcudart.so.13", "libcublasLt.so.13"), null),
        "libcublas.so.13 (cuBLAS) was not found; install CUDA 13, or pip install 'nvidia-cublas>=13,<14'");
  }

  @Test
  void withAnOldGpu() throws Exception {
    assertFallsBack(open(EMULATED, "7.5"),
        "the GPU, emulated GPU, has compute capability 7.5; the kernels need 8.0 (Ampere, 2020) or newer");
  }

  @Test
  void withADriverThatHasNoGpu() throws Exception {
    assertFallsBack(open(EMULATED, "none"),
        "there is an NVIDIA driver, but no GPU that CUDA can see (nvidia-smi lists them; CUDA_VISIBLE_DEVICES hides them)");
  }

  @Test
  void withADriverThatDoesNotWork() throws Exception {
    assertFallsBack(open(EMULATED, "no-driver"),
        "the NVIDIA driver does not work or is too old for CUDA 13; nvidia-smi should name a version from 580 on");
  }

  @Test
  void withEverything() throws Exception {
    String device = "CUDA, emulated GPU, compute capability 9.0, 2 GiB";
    assertEquals(List.of(device, device), open(EMULATED, null));
  }

  @Test
  void withCudnn() throws Exception {
    assertEquals(List.of("CUDA, emulated GPU, compute capability 9.0, 2 GiB, attention by cuDNN 9.19.1"), run(EMULATED, null, null, Cudnn.class));
  }

  @Test
  void withoutCudnn() throws Exception {
    only("libcuda.so.1", "libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13", "libgrpo4j_cuda.so");
    assertEquals(List.of("backend.attention is cudnn, but libcudnn_graph.so.9 (cuDNN) was not found; pip install 'nvidia-cudnn-cu13>=9.19,<10', "
        + "or set backend.attention to own"), run(empty, null, null, Cudnn.class));
  }

  @Test
  void withAnOldCudnn() throws Exception {
    assertEquals(List.of("backend.attention is cudnn, but cuDNN 9.8.0 is too old: attention needs 9.19; pip install 'nvidia-cudnn-cu13>=9.19,<10', "
        + "or set backend.attention to own"), run(EMULATED, null, "90800", Cudnn.class));
  }

  @Test
  void withCudnnOnAGpuThatItIsNotDeterministicOn() throws Exception {
    assertEquals(List.of("backend.attention is cudnn, but cuDNN's deterministic backward pass needs a Hopper GPU (compute capability 9.0), and "
        + "emulated GPU has 8.0; set backend.attention to own"), run(EMULATED, "8.0", null, Cudnn.class));
  }

  @Test
  void withCudnnButNoGpu() throws Exception {
    assertEquals(List.of("backend.attention is cudnn, which needs an NVIDIA GPU, and no NVIDIA driver (libcuda.so.1) was found; set it to own"),
        run(empty, null, null, Cudnn.class));
  }

  /** Their CUDA runtime is linked in, so the JNI code and the kernels for a GPU load anywhere. */
  @Test
  void theKernelsOfThisBuildLoadWithoutCuda() throws Exception {
    String kernels = "/io/github/grpo4j/backend/" + Loader.getPlatform() + "/libgrpo4j_cuda.so";
    Assumptions.assumeTrue(CudaInstallationTest.class.getResource(kernels) != null, "built without nvcc");
    assertEquals(List.of("loaded"), run(empty, null, null, Kernels.class));
  }

  private static void assertFallsBack(List<String> lines, String problem) {
    assertEquals(2, lines.size(), () -> String.join("\n", lines));
    assertTrue(lines.get(0).startsWith(FALLBACK) && lines.get(0).endsWith(" (no GPU: " + problem + ")"), lines.get(0));
    assertEquals("the CUDA back end cannot be used: " + problem + " (grpo4j doctor prints all that was found)", lines.get(1));
  }

  private Path only(String... libraries) throws IOException {
    for (String library : libraries) {
      Files.copy(EMULATED.resolve(library), empty.resolve(library));
    }
    return empty;
  }

  private static List<String> open(Path libraries, String device) throws Exception {
    return run(libraries, device, null, Machine.class);
  }

  private static List<String> run(Path libraries, String device, String cudnnVersion, Class<?> main) throws Exception {
    ProcessBuilder builder = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx256m",
        "-D" + CudaLibraryPath.PROPERTY + "=" + libraries,
        "-Dorg.bytedeco.javacpp.cachedir=" + System.getProperty("org.bytedeco.javacpp.cachedir"),
        "-cp", System.getProperty("java.class.path"), main.getName());
    if (device != null) {
      builder.environment().put("GRPO4J_EMULATED_DEVICE", device);
    }
    if (cudnnVersion != null) {
      builder.environment().put("GRPO4J_EMULATED_CUDNN", cudnnVersion);
    }
    Process process = builder.redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    return output.lines().toList();
  }

  /** Binds the kernels and asks them something that needs no GPU. */
  static final class Kernels {
    private Kernels() {}

    public static void main(String[] args) {
      System.out.println(CudaOps.g4_rmsnorm_backward_workspace(1, 64) > 0 ? "loaded" : "loaded, but not right");
    }
  }

  /** The JVM of a machine where attention by cuDNN is asked for. */
  static final class Cudnn {
    private Cudnn() {}

    public static void main(String[] args) {
      BackendOptions options = new BackendOptions(Device.AUTO, 1, AttentionKernels.CUDNN);
      try (Backend backend = ModelSession.openBackend(options)) {
        System.out.println(ModelSession.describe(backend, options));
      } catch (BackendException e) {
        System.out.println(e.getMessage());
      }
    }
  }

  /** The JVM of one machine. */
  static final class Machine {
    private Machine() {}

    public static void main(String[] args) {
      for (Device device : List.of(Device.AUTO, Device.CUDA)) {
        BackendOptions options = new BackendOptions(device, 1);
        try (Backend backend = ModelSession.openBackend(options)) {
          System.out.println(ModelSession.describe(backend, options));
        } catch (BackendException e) {
          System.out.println(e.getMessage());
        }
      }
    }
  }
}
