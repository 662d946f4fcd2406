package io.github.grpo4j.text;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.File;
import java.io.IOException;
import java.net.URL;
import org.bytedeco.javacpp.Loader;

/**
 * Loads Hugging Face's tokenizers library (Rust) with the JNI entry points that DJL's jar brings.
 *
 * <p>DJL's own loader is not used: it would start the CUDA runtime to choose a flavour, fetch that flavour from the network, and
 * report the process to its makers on some cloud machines. Here the CPU library from the jar is unpacked to JavaCPP's cache
 * directory ({@code ~/.javacpp/cache}, or {@code -Dorg.bytedeco.javacpp.cachedir=DIR}), as the engine's other native code is.
 */
final class NativeTokenizers {
  private static final RuntimeException FAILURE = load();

  private NativeTokenizers() {}

  /** The JNI entry points. @throws TextException if the library cannot be loaded on this machine */
  static TokenizersLibrary library() {
    if (FAILURE != null) {
      throw FAILURE;
    }
    return TokenizersLibrary.LIB;
  }

  private static RuntimeException load() {
    try {
      String resource = resource(Loader.getPlatform());
      URL packed = resource == null ? null : TokenizersLibrary.class.getResource(resource);
      if (packed == null) {
        return new TextException("The tokenizers library is not available for the platform " + Loader.getPlatform() + ".");
      }
      File unpacked = Loader.cacheResource(packed);
      System.load(unpacked.getAbsolutePath());
      return null;
    } catch (IOException | RuntimeException | LinkageError e) {
      return new TextException(
          "The tokenizers library cannot be loaded: " + e
              + " (set -Dorg.bytedeco.javacpp.cachedir to a directory that can be written to and executed from).", e);
    }
  }

  /** Where DJL's jar keeps the library for a platform in JavaCPP's naming. */
  private static String resource(String platform) {
    return switch (platform) {
      case "linux-x86_64" -> "/native/lib/linux-x86_64/cpu/libtokenizers.so";
      case "linux-arm64" -> "/native/lib/linux-aarch64/cpu/libtokenizers.so";
      case "macosx-arm64" -> "/native/lib/osx-aarch64/cpu/libtokenizers.dylib";
      default -> null;
    };
  }
}
