package io.github.grpo4j.backend.cuda.runtime;

import java.nio.file.Path;

/**
 * One of NVIDIA's libraries, as it was looked for on this machine.
 *
 * @param fileName as the dynamic linker knows it
 * @param purpose what it is, for people
 * @param remedy how to get it
 * @param path where it was found, or null
 */
public record CudaLibrary(String fileName, String purpose, String remedy, Path path) {
  public boolean found() {
    return path != null;
  }

  /** For example {@code libcublas.so.13 (cuBLAS) was not found: pip install nvidia-cublas}. */
  public String missing() {
    return fileName + " (" + purpose + ") was not found; " + remedy;
  }
}
