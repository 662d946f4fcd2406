package io.github.grpo4j.backend.cuda;

import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.backend.cuda.runtime.CudaDeviceInfo;
import io.github.grpo4j.backend.cuda.runtime.CudaLibrary;
import io.github.grpo4j.backend.cuda.runtime.CudaLibraryPath;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.bytedeco.javacpp.Loader;

/**
 * Whether the CUDA back end can be used on this machine: driver, libraries, a device, kernels. Found out once for the JVM, which
 * cannot load a native library a second time if the first attempt failed.
 *
 * @param device the first GPU, where driver and runtime are there to tell
 * @param problem why the CUDA back end cannot be used, one sentence; empty if it can
 */
public record CudaInstallation(Optional<CudaDeviceInfo> device, Optional<String> problem) {
  /** Ampere: bf16 arithmetic and asynchronous copies. */
  private static final int OLDEST_CAPABILITY = 80;
  private static final int CUDA_MAJOR = 13;
  private static final String KERNELS = "libgrpo4j_cuda.so";
  private static final String DRIVER_REMEDY = "install the NVIDIA driver, version 580 or newer";
  private static final String RUNTIME_REMEDY = "install CUDA 13, or pip install 'nvidia-cuda-runtime>=13,<14'";
  private static final String CUBLAS_REMEDY = "install CUDA 13, or pip install 'nvidia-cublas>=13,<14'";

  private static CudaInstallation found;

  public boolean usable() {
    return problem.isEmpty();
  }

  /** Looks for every library, without loading any: for a report. {@link #find} stops at the first that is missing. */
  public static List<CudaLibrary> search() {
    CudaLibraryPath path = new CudaLibraryPath();
    return List.of(driver(path), runtime(path), cublasLt(path), cublas(path));
  }

  /** Loads the libraries if all are there. Never throws: what goes wrong is the {@link #problem}. */
  public static synchronized CudaInstallation find() {
    if (found == null) {
      found = look();
    }
    return found;
  }

  private static CudaInstallation look() {
    CudaLibraryPath path = new CudaLibraryPath();
    CudaLibrary driver = driver(path);
    if (!driver.found()) {
      return unusable("no NVIDIA driver (libcuda.so.1) was found"); // the usual case, not a thing to be mended
    }
    CudaLibrary runtime = runtime(path);
    if (!runtime.found()) {
      return unusable(runtime.missing());
    }
    CudaDeviceInfo device;
    try {
      System.load(driver.path().toString());
      System.load(runtime.path().toString());
      device = CudaDeviceInfo.read();
    } catch (LinkageError e) {
      return unusable("the CUDA runtime could not be loaded: " + e.getMessage());
    } catch (BackendException e) {
      return unusable(e.getMessage());
    }
    return new CudaInstallation(Optional.of(device), problemWith(path, device));
  }

  private static CudaInstallation unusable(String problem) {
    return new CudaInstallation(Optional.empty(), Optional.of(problem));
  }

  private static CudaLibrary driver(CudaLibraryPath path) {
    return new CudaLibrary("libcuda.so.1", "the NVIDIA driver", DRIVER_REMEDY, path.findDriver("libcuda.so.1"));
  }

  private static CudaLibrary runtime(CudaLibraryPath path) {
    return library(path, "libcudart.so.13", "the CUDA runtime", RUNTIME_REMEDY);
  }

  private static CudaLibrary cublasLt(CudaLibraryPath path) {
    return library(path, "libcublasLt.so.13", "cuBLASLt", CUBLAS_REMEDY);
  }

  private static CudaLibrary cublas(CudaLibraryPath path) {
    return library(path, "libcublas.so.13", "cuBLAS", CUBLAS_REMEDY);
  }

  private static CudaLibrary library(CudaLibraryPath path, String fileName, String purpose, String remedy) {
    return new CudaLibrary(fileName, purpose, remedy, path.find(fileName));
  }

  private static Optional<String> problemWith(CudaLibraryPath path, CudaDeviceInfo device) {
    if (device.capability() < OLDEST_CAPABILITY) {
      return Optional.of("the GPU, " + device.name() + ", has compute capability " + device.capabilityText()
          + "; the kernels need 8.0 (Ampere, 2020) or newer");
    }
    if (device.driverVersion() < 1000 * CUDA_MAJOR) {
      return Optional.of("the NVIDIA driver supports CUDA up to " + CudaDeviceInfo.versionText(device.driverVersion())
          + ", and CUDA 13 is needed; " + DRIVER_REMEDY);
    }
    CudaLibrary cublasLt = cublasLt(path);
    CudaLibrary cublas = cublas(path);
    for (CudaLibrary library : List.of(cublasLt, cublas)) {
      if (!library.found()) {
        return Optional.of(library.missing());
      }
    }
    try {
      System.load(cublasLt.path().toString());
      System.load(cublas.path().toString());
      int major = CudaGemm.libraryMajorVersion();
      if (major != CUDA_MAJOR) {
        return Optional.of(cublas.path() + " is cuBLAS " + major + ", and cuBLAS 13 is needed; " + CUBLAS_REMEDY);
      }
    } catch (LinkageError e) {
      return Optional.of("cuBLAS could not be loaded: " + e.getMessage());
    }
    return loadKernels(path);
  }

  /** The kernels of this jar, unless the library path has some: those of the emulated GPU. */
  private static Optional<String> loadKernels(CudaLibraryPath path) {
    boolean given = CudaLibraryPath.given() != null;
    Path kernels = given ? path.find(KERNELS) : null;
    try {
      if (kernels != null) {
        System.load(kernels.toString());
      } else if (CudaInstallation.class.getResource("/io/github/grpo4j/backend/" + Loader.getPlatform() + "/" + KERNELS) == null) {
        return Optional.of("grpo4j was built without CUDA kernels, because there was no nvcc; build it where one is (-Dcuda=on insists)");
      }
      Loader.load(CudaOps.class);
      return Optional.empty();
    } catch (LinkageError e) {
      return Optional.of("the CUDA kernels could not be loaded: " + e.getMessage());
    }
  }
}
