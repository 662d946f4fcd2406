package io.github.grpo4j.memory;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.track.Metrics;

/**
 * What a run takes of the machine's memory, as metrics in MiB. Nothing here should grow from one step to the next: a record of
 * them over a long run shows that it does not, or what does.
 */
public final class MemoryMetrics {
  private MemoryMetrics() {}

  /** The process as the system counts it, where it tells; the Java heap in use, dead objects included; the back end's tensors, those in
   * page-locked host memory by themselves. */
  public static void putInto(Metrics metrics, Backend backend) {
    put(metrics, "resident_mib", MachineMemory.residentBytes());
    put(metrics, "peak_resident_mib", MachineMemory.peakResidentBytes());
    put(metrics, "java_heap_mib", Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory());
    put(metrics, "native_mib", backend.allocatedBytes());
    if (backend.allocatedHostBytes() > 0) {
      put(metrics, "pinned_mib", backend.allocatedHostBytes());
    }
  }

  private static void put(Metrics metrics, String name, long bytes) {
    if (bytes != MachineMemory.UNKNOWN) {
      metrics.put(Metrics.MEMORY + name, bytes / (double) (1 << 20));
    }
  }
}
