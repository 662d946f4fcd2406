package io.github.grpo4j.backend.cuda.runtime;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Where NVIDIA's libraries may lie: toolkits, the driver's folder, Python packages. Searched in this order:
 *
 * <ol>
 *   <li>the directories of the system property {@value #PROPERTY}, and nothing else if it is set
 *   <li>{@code CUDA_HOME}, {@code CUDA_PATH}, {@code LD_LIBRARY_PATH}
 *   <li>{@code /usr/local/cuda}, the driver's and the system's folders
 *   <li>the {@code nvidia-*} packages of the Python environment, and of the {@code python3} on the path
 * </ol>
 */
public final class CudaLibraryPath {
  /** Directories, separated as on the class path, that take the place of all others. */
  public static final String PROPERTY = "grpo4j.cuda.path";

  private static final List<String> SYSTEM = List.of("/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib/x86_64-linux-gnu",
      "/usr/lib64", "/usr/lib", "/usr/lib/wsl/lib", "/run/opengl-driver/lib");
  private static final List<String> TOOLKIT = List.of("lib64", "lib", "targets/x86_64-linux/lib");
  private static final String PYTHON = "import nvidia; print(*nvidia.__path__, sep='\\n')";

  private final List<Path> directories = new ArrayList<>();
  private boolean pythonAsked;

  public CudaLibraryPath() {
    String given = given();
    if (given != null) {
      addAll(given);
      pythonAsked = true;
      return;
    }
    toolkit(System.getenv("CUDA_HOME"));
    toolkit(System.getenv("CUDA_PATH"));
    addAll(System.getenv("LD_LIBRARY_PATH"));
    toolkit("/usr/local/cuda");
    toolkit("/usr/local/cuda-13");
    SYSTEM.forEach(directory -> directories.add(Path.of(directory)));
    wheels(System.getenv("VIRTUAL_ENV"));
    wheels(System.getenv("CONDA_PREFIX"));
  }

  /** The directories of {@link #PROPERTY}, or null; an empty one is none. */
  public static String given() {
    String given = System.getProperty(PROPERTY, "");
    return given.isBlank() ? null : given;
  }

  /** The first such file, or null; without asking Python, which has everything but the driver. */
  public Path findDriver(String fileName) {
    return search(fileName);
  }

  /** The first such file, or null. Python is asked only if the file is nowhere else. */
  public Path find(String fileName) {
    Path found = search(fileName);
    if (found == null && !pythonAsked) {
      pythonAsked = true;
      askPython().forEach(this::packages);
      found = search(fileName);
    }
    return found;
  }

  private Path search(String fileName) {
    for (Path directory : directories) {
      Path file = directory.resolve(fileName);
      if (Files.isRegularFile(file)) {
        return file.toAbsolutePath();
      }
    }
    return null;
  }

  private void addAll(String path) {
    if (path != null) {
      for (String directory : path.split(java.io.File.pathSeparator)) {
        if (!directory.isEmpty()) {
          directories.add(Path.of(directory));
        }
      }
    }
  }

  private void toolkit(String home) {
    if (home != null && !home.isEmpty()) {
      TOOLKIT.forEach(folder -> directories.add(Path.of(home, folder)));
    }
  }

  /** {@code PREFIX/lib/python3.X/site-packages/nvidia}. */
  private void wheels(String prefix) {
    if (prefix != null && !prefix.isEmpty()) {
      for (Path python : list(Path.of(prefix, "lib"), "python3*")) {
        packages(python.resolve("site-packages/nvidia"));
      }
    }
  }

  private void packages(Path nvidia) {
    for (Path part : list(nvidia, "*")) {
      directories.add(part.resolve("lib"));
    }
  }

  private static List<Path> askPython() {
    List<Path> paths = new ArrayList<>();
    try {
      Process python = new ProcessBuilder("python3", "-c", PYTHON).redirectError(ProcessBuilder.Redirect.DISCARD).start();
      String answer = new String(python.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (python.waitFor(10, TimeUnit.SECONDS) && python.exitValue() == 0) {
        answer.lines().forEach(line -> paths.add(Path.of(line)));
      }
    } catch (IOException e) {
      // No Python, no packages.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return paths;
  }

  private static List<Path> list(Path directory, String pattern) {
    List<Path> entries = new ArrayList<>();
    if (Files.isDirectory(directory)) {
      try (DirectoryStream<Path> stream = Files.newDirectoryStream(directory, pattern)) {
        stream.forEach(entries::add);
      } catch (IOException e) {
        // A folder that cannot be read holds nothing for us.
      }
    }
    entries.sort(null);
    return entries;
  }
}
