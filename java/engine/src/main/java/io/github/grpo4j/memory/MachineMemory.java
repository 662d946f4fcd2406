package io.github.grpo4j.memory;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;

/** How much memory this machine, or the container around this process, has left. */
public final class MachineMemory {
  /** Nobody knows: not a Linux machine. */
  public static final long UNKNOWN = -1;

  private static final Path MEMINFO = Path.of("/proc/meminfo");
  private static final Path CGROUP = Path.of("/sys/fs/cgroup");
  private static final Path STATUS = Path.of("/proc/self/status");

  private MachineMemory() {}

  /** Bytes that can be allocated without swapping: the kernel's estimate, or less where a control group sets a limit. */
  public static long availableBytes() {
    return availableBytes(MEMINFO, CGROUP);
  }

  /** The most memory that this process ever had resident, or {@link #UNKNOWN}. */
  public static long peakResidentBytes() {
    return ofThisProcess("VmHWM:");
  }

  /** What of this process is in memory now, mapped files included; or {@link #UNKNOWN}. */
  public static long residentBytes() {
    return ofThisProcess("VmRSS:");
  }

  private static long ofThisProcess(String field) {
    OptionalLong kibibytes = field(STATUS, field);
    return kibibytes.isPresent() ? kibibytes.getAsLong() << 10 : UNKNOWN;
  }

  static long availableBytes(Path meminfo, Path cgroup) {
    OptionalLong machine = field(meminfo, "MemAvailable:");
    OptionalLong limit = number(cgroup.resolve("memory.max"));
    OptionalLong used = number(cgroup.resolve("memory.current"));
    long available = machine.isPresent() ? machine.getAsLong() << 10 : UNKNOWN;
    if (limit.isEmpty() || used.isEmpty()) {
      return available;
    }
    // Cached file pages count as used, but the kernel gives them up.
    long cached = field(cgroup.resolve("memory.stat"), "file").orElse(0);
    long left = Math.max(0, limit.getAsLong() - Math.max(0, used.getAsLong() - cached));
    return available == UNKNOWN ? left : Math.min(available, left);
  }

  /** The number after a name at the beginning of a line. */
  private static OptionalLong field(Path file, String name) {
    for (String line : lines(file)) {
      String[] words = line.split("\\s+");
      if (words.length > 1 && words[0].equals(name)) {
        return parse(words[1]);
      }
    }
    return OptionalLong.empty();
  }

  /** A file that holds one number; "max" and the like are none. */
  private static OptionalLong number(Path file) {
    List<String> lines = lines(file);
    return lines.isEmpty() ? OptionalLong.empty() : parse(lines.get(0).strip());
  }

  private static OptionalLong parse(String digits) {
    try {
      return OptionalLong.of(Long.parseLong(digits));
    } catch (NumberFormatException e) {
      return OptionalLong.empty();
    }
  }

  private static List<String> lines(Path file) {
    try {
      return Files.isReadable(file) ? Files.readAllLines(file) : List.of();
    } catch (IOException e) {
      return List.of();
    }
  }
}
