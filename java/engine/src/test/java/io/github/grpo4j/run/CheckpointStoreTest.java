package io.github.grpo4j.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.grpo4j.run.CheckpointStore.Found;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever happens while a checkpoint is written, the newest one that verifies is complete and is found. */
class CheckpointStoreTest {
  private static final List<String> FILES = List.of("model.safetensors", "optimizer.safetensors", "policy/config.json", "empty");

  /** What a process that is killed leaves behind: nothing catches it, so nothing is cleaned up. */
  private static final class Killed extends Error {
    private static final long serialVersionUID = 1;
  }

  @TempDir Path run;
  private Path directory;
  private CheckpointStore store;

  @BeforeEach
  void open() {
    directory = run.resolve("checkpoints");
    store = new CheckpointStore(directory, 3);
  }

  @Test
  void nothingIsFoundBeforeTheFirstSave() {
    assertTrue(store.newest().isEmpty());
  }

  @Test
  void savedCheckpointIsFoundWithItsContent() throws IOException {
    Path folder = save(40);
    assertEquals("step_000040", folder.getFileName().toString());
    assertFound(40, 0);
    assertEquals("policy/config.json of 40", Files.readString(folder.resolve("policy/config.json")));
  }

  @Test
  void onlyTheNewestAreKept() throws IOException {
    for (int step = 10; step <= 60; step += 10) {
      save(step);
    }
    assertEquals(List.of("step_000040", "step_000050", "step_000060"), children());
    CheckpointStore all = new CheckpointStore(directory, 0);
    all.save(70, folder -> fill(folder, 70, FILES.size()));
    assertEquals(4, children().size());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4})
  void killedBetweenFilesLeavesThePreviousOne(int filesWritten) throws IOException {
    save(10);
    assertThrows(Killed.class, () -> store.save(20, folder -> {
      fill(folder, 20, filesWritten);
      throw new Killed();
    }));
    assertEquals(List.of(".writing-step_000020", "step_000010"), children());
    assertFound(10, 0);
    save(30);
    assertFound(30, 0);
    assertEquals(List.of("step_000010", "step_000030"), children(), "what was left unfinished is deleted by the next save");
  }

  @Test
  void killedInTheFirstSaveIsLikeNeverHavingStarted() {
    assertThrows(Killed.class, () -> store.save(20, folder -> {
      fill(folder, 20, 2);
      throw new Killed();
    }));
    assertTrue(store.newest().isEmpty());
  }

  @Test
  void killedBeforeTheRenameLosesNothing() throws IOException {
    save(10);
    Files.move(save(20), directory.resolve(".writing-step_000020"));
    Found found = store.newest().orElseThrow();
    assertEquals(20, found.step());
    assertEquals("model.safetensors of 20", Files.readString(found.folder().resolve("model.safetensors")));
    save(30);
    assertEquals(List.of("step_000010", "step_000020", "step_000030"), children());
  }

  @Test
  void killedWhileReplacingTheSameStepLosesNothing() throws IOException {
    Path folder = save(10);
    Files.move(folder, directory.resolve(".writing-step_000010"));
    fill(Files.createDirectory(folder), 10, 1);
    assertEquals(".writing-step_000010", store.newest().orElseThrow().folder().getFileName().toString());
    save(20);
    assertEquals(List.of("step_000010", "step_000020"), children());
    Files.delete(directory.resolve("step_000020/manifest.json"));
    assertFound(10, 1);
  }

  @Test
  void sameStepIsReplaced() throws IOException {
    save(10);
    store.save(10, folder -> Files.writeString(folder.resolve("other"), "new"));
    Found found = store.newest().orElseThrow();
    assertEquals("new", Files.readString(found.folder().resolve("other")));
    assertFalse(Files.exists(found.folder().resolve("model.safetensors")));
  }

  @Test
  void missingTruncatedAndChangedFilesAreNoticed() throws IOException {
    for (String file : FILES) {
      Path target = damagedCheckpoint(file);
      Files.delete(target);
      assertPassedOver(file + " is missing");

      target = damagedCheckpoint(file);
      byte[] bytes = Files.readAllBytes(target);
      if (bytes.length > 0) {
        Files.write(target, java.util.Arrays.copyOf(bytes, bytes.length / 2));
        assertPassedOver(file + " has " + bytes.length / 2 + " bytes instead of " + bytes.length);
        Files.write(target, new byte[bytes.length]);
        assertPassedOver(file + " does not match its checksum");
        for (int bit = 0; bit < 8 * bytes.length; bit += 13) {
          Files.write(target, flipped(bytes, bit));
          assertPassedOver(file + " does not match its checksum");
        }
      }
    }
  }

  private Path damagedCheckpoint(String file) throws IOException {
    save(10);
    return save(20).resolve(file);
  }

  private void assertPassedOver(String reason) {
    Found found = store.newest().orElseThrow();
    assertEquals(10, found.step());
    assertEquals(1, found.rejected().size());
    String rejected = found.rejected().get(0);
    assertTrue(rejected.contains("step_000020") && rejected.contains(reason), rejected);
  }

  @Test
  void damagedManifestNeverHidesDamageNorStopsTheSearch() throws IOException {
    save(10);
    Path folder = save(20);
    Path manifest = folder.resolve("manifest.json");
    byte[] bytes = Files.readAllBytes(manifest);
    byte[] weights = Files.readAllBytes(folder.resolve("model.safetensors"));
    for (int length = 0; length < bytes.length - 2; length += 3) {
      Files.write(manifest, java.util.Arrays.copyOf(bytes, length));
      assertEquals(10, store.newest().orElseThrow().step(), "manifest of " + length + " bytes");
    }
    for (int bit = 0; bit < 8 * bytes.length; bit++) {
      Files.write(manifest, flipped(bytes, bit));
      store.newest().orElseThrow();
      Files.write(folder.resolve("model.safetensors"), flipped(weights, 5));
      assertEquals(10, store.newest().orElseThrow().step(), "manifest with bit " + bit + " flipped accepts damaged weights");
      Files.write(folder.resolve("model.safetensors"), weights);
    }
  }

  @Test
  void whenNothingIsUsableTheErrorSaysWhy() throws IOException {
    Files.delete(save(10).resolve("manifest.json"));
    Files.write(save(20).resolve("optimizer.safetensors"), new byte[3]);
    CheckpointException error = assertThrows(CheckpointException.class, store::newest);
    for (String part : List.of("step_000010", "manifest.json is missing", "step_000020", "optimizer.safetensors has 3 bytes")) {
      assertTrue(error.getMessage().contains(part), error.getMessage());
    }
  }

  @Test
  void failedSaveKeepsEveryOlderOneAndNamesTheLastGood() throws IOException {
    save(10);
    save(20);
    save(30);
    CheckpointException error = assertThrows(CheckpointException.class, () -> store.save(40, folder -> {
      fill(folder, 40, 2);
      throw new IOException("the disk went away");
    }));
    for (String part : List.of("step_000040", "the disk went away", "step_000030")) {
      assertTrue(error.getMessage().contains(part), error.getMessage());
    }
    assertEquals(List.of("step_000010", "step_000020", "step_000030"), children());

    IllegalStateException bug = new IllegalStateException("bug");
    assertSame(bug, assertThrows(IllegalStateException.class, () -> store.save(40, folder -> {
      fill(folder, 40, 2);
      throw bug;
    })));
    assertEquals(List.of("step_000010", "step_000020", "step_000030"), children());
    assertFound(30, 0);
  }

  @Test
  void fullDiskIsReportedAndTheOlderOneSurvives() throws IOException {
    Path full = Path.of("/dev/full");
    assumeTrue(Files.isWritable(full), "SKIPPED: this system has no /dev/full, a disk without space");
    CheckpointException first = assertThrows(CheckpointException.class, () -> store.save(10, folder -> writeThrough(folder, full)));
    assertTrue(first.getMessage().contains("there is no earlier one"), first.getMessage());
    save(20);
    CheckpointException error = assertThrows(CheckpointException.class, () -> store.save(30, folder -> writeThrough(folder, full)));
    assertTrue(error.getMessage().contains("No space left on device"), error.getMessage());
    assertTrue(error.getMessage().contains("the last good one is"), error.getMessage());
    assertEquals(List.of("step_000020"), children());
    assertFound(20, 0);
  }

  private static void writeThrough(Path folder, Path device) throws IOException {
    fill(folder, 30, 1);
    Files.write(Files.createSymbolicLink(folder.resolve("optimizer.safetensors"), device), new byte[1 << 16]);
  }

  @Test
  void failureIsReportedEvenIfNoEarlierOneIsUsable() throws IOException {
    Files.delete(save(10).resolve("manifest.json"));
    CheckpointException error = assertThrows(CheckpointException.class, () -> store.save(20, folder -> {
      throw new IOException("no space");
    }));
    assertTrue(error.getMessage().contains("no space"), error.getMessage());
  }

  @Test
  void directoryThatCannotBeMadeIsReported() throws IOException {
    Files.writeString(directory, "a file is in the way");
    CheckpointException error = assertThrows(CheckpointException.class, () -> save(10));
    assertTrue(error.getMessage().contains(directory.toString()), error.getMessage());
  }

  @Test
  void otherNamesInTheFolderAreLeftAlone() throws IOException {
    save(10);
    for (String name : List.of("step_99999999999999", "step_5", "notes", "step_000010.bak", ".hidden")) {
      Files.createDirectories(directory.resolve(name));
    }
    assertFound(10, 0);
    save(20);
    assertEquals(7, children().size());
  }

  private Path save(int step) throws IOException {
    return store.save(step, folder -> fill(folder, step, FILES.size()));
  }

  private static void fill(Path folder, int step, int files) throws IOException {
    for (String name : FILES.subList(0, files)) {
      Path file = folder.resolve(name);
      Files.createDirectories(file.getParent());
      Files.writeString(file, name.equals("empty") ? "" : name + " of " + step);
    }
  }

  private void assertFound(int step, int rejected) {
    Found found = store.newest().orElseThrow();
    assertEquals(step, found.step());
    assertEquals(rejected, found.rejected().size(), found.rejected().toString());
  }

  private List<String> children() throws IOException {
    try (Stream<Path> children = Files.list(directory)) {
      return children.map(path -> path.getFileName().toString()).sorted().toList();
    }
  }

  private static byte[] flipped(byte[] bytes, int bit) {
    byte[] copy = bytes.clone();
    copy[bit / 8] ^= (byte) (1 << bit % 8);
    return copy;
  }
}
