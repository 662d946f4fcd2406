package io.github.grpo4j.session;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Everything that an object has opened, closed in reverse order: by its own close, or at once when it cannot be completed, so
 * that a failed start leaves no native memory behind.
 */
public final class Resources implements AutoCloseable {
  private final Deque<AutoCloseable> open = new ArrayDeque<>();

  public <T extends AutoCloseable> T own(T resource) {
    open.push(resource);
    return resource;
  }

  /** Closes all of them, whatever happens, and throws the first failure. */
  @Override
  public void close() {
    RuntimeException failure = null;
    while (!open.isEmpty()) {
      try {
        open.pop().close();
      } catch (Exception e) {
        if (failure == null) {
          failure = e instanceof RuntimeException unchecked ? unchecked : new IllegalStateException(e);
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
