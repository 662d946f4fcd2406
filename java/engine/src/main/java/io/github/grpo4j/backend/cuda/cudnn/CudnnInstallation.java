package io.github.grpo4j.backend.cuda.cudnn;

import io.github.grpo4j.backend.cuda.CudaInstallation;
import io.github.grpo4j.backend.cuda.runtime.CudaLibrary;
import io.github.grpo4j.backend.cuda.runtime.CudaLibraryPath;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.bytedeco.cuda.global.cudnn;

/**
 * cuDNN on this machine. It is optional: nothing of the CUDA back end waits for it but the attention that is asked of it.
 *
 * @param version as cuDNN writes it, 10,000 times major plus 100 times minor plus patch level; 0 if it was not loaded
 * @param problem why it cannot be used, one sentence; empty if it can
 */
public record CudnnInstallation(long version, Optional<String> problem) {
  /** The version whose interface {@link CudnnAttentionGraph} was written for. */
  private static final long OLDEST = 91900;
  private static final String REMEDY = "pip install 'nvidia-cudnn-cu13>=9.19,<10'";
  private static final String MAIN = "libcudnn_graph.so.9";
  /** What the presets' JNI code is linked with, and what cuDNN itself wants to find loaded; each before those that need it. */
  private static final List<String> PARTS = List.of(MAIN, "libcudnn_ops.so.9", "libcudnn_cnn.so.9", "libcudnn_adv.so.9");
  /** cuDNN compiles its kernels for the shapes at hand. */
  private static final String COMPILER = "libnvrtc.so.13";

  private static CudnnInstallation found;

  public boolean usable() {
    return problem.isEmpty();
  }

  /** For example {@code 9.19.1}. */
  public String versionText() {
    return version / 10_000 + "." + version % 10_000 / 100 + "." + version % 100;
  }

  /** Looks for it without loading it: for a report. */
  public static CudaLibrary search() {
    return new CudaLibrary(MAIN, "cuDNN", REMEDY, new CudaLibraryPath().find(MAIN));
  }

  /**
   * Loads it if it is there. Never throws: what goes wrong is the {@link #problem}.
   *
   * <p>Only behind {@link CudaInstallation#usable}.
   */
  public static synchronized CudnnInstallation find() {
    if (found == null) {
      found = look();
    }
    return found;
  }

  private static CudnnInstallation look() {
    CudaLibraryPath path = new CudaLibraryPath();
    try {
      Path compiler = path.find(COMPILER);
      if (compiler != null) {
        System.load(compiler.toString());
      }
      for (String part : PARTS) {
        CudaLibrary library = new CudaLibrary(part, "cuDNN", REMEDY, path.find(part));
        if (!library.found()) {
          return unusable(0, library.missing());
        }
        System.load(library.path().toString());
      }
      long version = cudnn.cudnnGetVersion();
      CudnnInstallation installation = new CudnnInstallation(version, Optional.empty());
      return version < OLDEST ? unusable(version, "cuDNN " + installation.versionText() + " is too old: attention needs 9.19; " + REMEDY) : installation;
    } catch (LinkageError e) {
      return unusable(0, "cuDNN could not be loaded: " + e.getMessage());
    }
  }

  private static CudnnInstallation unusable(long version, String problem) {
    return new CudnnInstallation(version, Optional.of(problem));
  }
}
