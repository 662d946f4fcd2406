package io.github.grpo4j.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/**
 * The checkpoints of a run: folders {@code step_000040} that appear whole or not at all. Files are written to a temporary
 * folder and forced to the disk, a manifest with sizes and checksums comes last, then the folder is renamed. Older
 * checkpoints go only after the new one has been read back and verified; so whatever happens, the newest checkpoint that
 * verifies is complete.
 */
public final class CheckpointStore {
  private static final String MANIFEST = "manifest.json";
  private static final String TEMPORARY = ".writing-";
  private static final Pattern NAME = Pattern.compile("(" + Pattern.quote(TEMPORARY) + ")?step_(\\d{6,9})");
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path directory;
  private final int keep;

  /** Fills a checkpoint's folder with files. */
  public interface Writer {
    void write(Path folder) throws IOException;
  }

  /** What {@link #newest} found. {@code rejected} says why newer ones were passed over. */
  public record Found(Path folder, int step, List<String> rejected) {}

  /** @param keep how many checkpoints stay; 0 keeps all */
  public CheckpointStore(Path directory, int keep) {
    this.directory = directory;
    this.keep = keep;
  }

  /** Writes the checkpoint of {@code step} and prunes older ones. On failure the older ones are all still there. */
  public Path save(int step, Writer writer) {
    Path folder = directory.resolve(String.format("step_%06d", step));
    Path temporary = directory.resolve(TEMPORARY + folder.getFileName());
    try {
      Files.createDirectories(directory);
      settleInterruptedSaves();
      Files.createDirectory(temporary);
      writer.write(temporary);
      writeManifest(temporary, step);
      publish(temporary, folder);
    } catch (IOException e) {
      tryDeleteUnfinished(temporary);
      throw new CheckpointException("checkpoint " + folder + " could not be written (" + IoReason.of(e) + "); " + lastGood(), e);
    } catch (RuntimeException e) {
      tryDeleteUnfinished(temporary);
      throw e;
    }
    Optional<String> damage = damageOf(folder);
    if (damage.isPresent()) {
      throw new CheckpointException("checkpoint " + folder + " does not read back: " + damage.get()
          + "; older checkpoints are kept");
    }
    try {
      prune(step);
    } catch (IOException e) {
      throw new CheckpointException("checkpoint " + folder + " is written, but an older one could not be deleted: "
          + IoReason.of(e), e);
    }
    return folder;
  }

  /** Gives a complete temporary folder its name. If the process ends in between, {@link #newest} still finds it. */
  private void publish(Path temporary, Path folder) throws IOException {
    deleteRecursively(folder);
    Files.move(temporary, folder, StandardCopyOption.ATOMIC_MOVE);
    force(directory);
  }

  /** Publishes what an earlier process completed but did not rename, and deletes what it did not complete. */
  private void settleInterruptedSaves() throws IOException {
    for (Path left : childrenNewestFirst()) {
      if (isTemporary(left) && damageOf(left).isEmpty()) {
        publish(left, directory.resolve(left.getFileName().toString().substring(TEMPORARY.length())));
      } else if (isTemporary(left)) {
        deleteRecursively(left);
      }
    }
  }

  private String lastGood() {
    try {
      return newest().map(found -> "the last good one is " + found.folder()).orElse("there is no earlier one");
    } catch (CheckpointException e) {
      return "none of the earlier ones is usable";
    }
  }

  /** The newest checkpoint that verifies. */
  public Optional<Found> newest() {
    List<String> rejected = new ArrayList<>();
    for (Path folder : childrenNewestFirst()) {
      Optional<String> damage = damageOf(folder);
      if (damage.isEmpty()) {
        return Optional.of(new Found(folder, stepOf(folder), List.copyOf(rejected)));
      }
      if (!isTemporary(folder)) {
        rejected.add(folder + ": " + damage.get());
      }
    }
    if (!rejected.isEmpty()) {
      throw new CheckpointException("no checkpoint of " + directory + " is usable: " + String.join("; ", rejected)
          + ". Start over with --resume never");
    }
    return Optional.empty();
  }

  /** A sentence on what is wrong with a checkpoint folder, or nothing. */
  public static Optional<String> damageOf(Path folder) {
    Path manifest = folder.resolve(MANIFEST);
    if (!Files.isRegularFile(manifest)) {
      return Optional.of(MANIFEST + " is missing, so it was never finished");
    }
    try {
      JsonNode files = JSON.readTree(manifest.toFile()).path("files");
      if (!files.isObject() || files.isEmpty()) {
        return Optional.of(MANIFEST + " lists no files");
      }
      for (var entry : (Iterable<java.util.Map.Entry<String, JsonNode>>) files::fields) {
        Path file = folder.resolve(entry.getKey());
        if (!Files.isRegularFile(file)) {
          return Optional.of(entry.getKey() + " is missing");
        }
        long expected = entry.getValue().path("bytes").asLong(-1);
        if (Files.size(file) != expected) {
          return Optional.of(entry.getKey() + " has " + Files.size(file) + " bytes instead of " + expected);
        }
        if (!checksum(file).equals(entry.getValue().path("crc32c").asText())) {
          return Optional.of(entry.getKey() + " does not match its checksum");
        }
      }
      return Optional.empty();
    } catch (IOException | InvalidPathException e) {
      return Optional.of(MANIFEST + " or a file in it is not readable: " + e.getMessage().lines().findFirst().orElse(""));
    }
  }

  /** Whether a folder is named as checkpoints are. */
  public static boolean isCheckpoint(Path folder) {
    return folder.getFileName() != null && NAME.matcher(folder.getFileName().toString()).matches();
  }

  /** The step in the name of a checkpoint folder. */
  public static int stepOf(Path folder) {
    var matcher = NAME.matcher(folder.getFileName().toString());
    if (!matcher.matches()) {
      throw new CheckpointException(folder + " is no checkpoint folder; those are named like step_000040");
    }
    return Integer.parseInt(matcher.group(2));
  }

  private static void writeManifest(Path folder, int step) throws IOException {
    ObjectNode manifest = JSON.createObjectNode();
    manifest.put("step", step);
    ObjectNode entries = manifest.putObject("files");
    for (Path file : regularFiles(folder)) {
      force(file);
      ObjectNode entry = entries.putObject(folder.relativize(file).toString());
      entry.put("bytes", Files.size(file));
      entry.put("crc32c", checksum(file));
    }
    Path path = folder.resolve(MANIFEST);
    Files.writeString(path, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(manifest) + "\n");
    force(path);
    force(folder);
  }

  private void prune(int newest) throws IOException {
    if (keep <= 0) {
      return;
    }
    List<Path> older = childrenNewestFirst().stream().filter(folder -> stepOf(folder) < newest).toList();
    for (int i = keep - 1; i < older.size(); i++) {
      deleteRecursively(older.get(i));
    }
  }

  private static boolean isTemporary(Path folder) {
    return folder.getFileName().toString().startsWith(TEMPORARY);
  }

  /** Checkpoints and temporary folders; of one step the temporary folder, which would replace the other, comes first. */
  private List<Path> childrenNewestFirst() {
    if (!Files.isDirectory(directory)) {
      return List.of();
    }
    try (Stream<Path> children = Files.list(directory)) {
      return children.filter(path -> NAME.matcher(path.getFileName().toString()).matches())
          .sorted(Comparator.comparingInt(CheckpointStore::stepOf).reversed().thenComparing(Path::getFileName)).toList();
    } catch (IOException e) {
      throw new CheckpointException(directory + " could not be listed: " + IoReason.of(e), e);
    }
  }

  private static List<Path> regularFiles(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.filter(Files::isRegularFile).sorted().toList();
    }
  }

  /** CRC32C: it is damage that is looked for, not forgery, and the optimizer state of a large model is long. */
  private static String checksum(Path file) throws IOException {
    CRC32C crc = new CRC32C();
    byte[] buffer = new byte[1 << 20];
    try (InputStream in = Files.newInputStream(file)) {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        crc.update(buffer, 0, n);
      }
    }
    return HexFormat.of().toHexDigits((int) crc.getValue());
  }

  /** Forces a file, or the entries of a directory, to the disk. */
  private static void force(Path path) throws IOException {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  static void deleteRecursively(Path path) throws IOException {
    if (!Files.exists(path)) {
      return;
    }
    try (Stream<Path> files = Files.walk(path)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  private static void tryDeleteUnfinished(Path temporary) {
    try {
      if (damageOf(temporary).isPresent()) {
        deleteRecursively(temporary);
      }
    } catch (IOException e) {
      // What is left is named as unfinished and is removed by the next save; the first failure is the one to report.
      return;
    }
  }
}
