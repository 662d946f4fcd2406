package io.github.grpo4j.model.safetensors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.testing.Fixtures;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsWriterTest {
  @TempDir Path folder;

  /** Files that the reference implementation wrote come out the same to the byte. */
  @Test
  @Tag("fixtures")
  void writesWhatTheReferenceWrites() throws IOException {
    for (String name : Fixtures.find("ops", ".*\\.safetensors")) {
      Path copy = folder.resolve("copy.safetensors");
      try (SafetensorsFile file = Fixtures.open(name);
          SafetensorsWriter writer = SafetensorsWriter.create(copy, file.tensors().values(), file.metadata())) {
        for (TensorInfo tensor : writer.tensors()) {
          writer.write(file.buffer(tensor.name()));
        }
        writer.finish();
      }
      assertArrayEquals(Files.readAllBytes(Fixtures.path(name)), Files.readAllBytes(copy), name);
    }
  }

  @Test
  void refusesAnIncompleteOrOverfullFile() throws IOException {
    List<TensorInfo> tensors = List.of(TensorInfo.of("a", StoredType.F32, 2));
    Path path = folder.resolve("x.safetensors");
    try (SafetensorsWriter writer = SafetensorsWriter.create(path, tensors, Map.of())) {
      writer.write(new float[] {1});
      assertTrue(assertThrows(IllegalStateException.class, writer::finish).getMessage().contains("4 of its 8 bytes"));
      assertThrows(IllegalStateException.class, () -> writer.write(new float[] {1, 2}));
      writer.write(new float[] {2});
      writer.finish();
    }
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      assertArrayEquals(new float[] {1, 2}, file.floats("a"));
    }
    assertThrows(IllegalArgumentException.class,
        () -> SafetensorsWriter.create(path, List.of(tensors.get(0), tensors.get(0)), Map.of()));
  }

  @Test
  void aFailingDiskIsReportedWithTheFile() {
    WritableByteChannel full = new WritableByteChannel() {
      @Override
      public int write(ByteBuffer src) throws IOException {
        throw new IOException("No space left on device");
      }

      @Override
      public boolean isOpen() {
        return true;
      }

      @Override
      public void close() {}
    };
    IOException e = assertThrows(IOException.class, () -> new SafetensorsWriter("model.safetensors", full, List.of(), Map.of()));
    assertEquals("model.safetensors could not be written: No space left on device", e.getMessage());
  }

  @Test
  void bfloat16RoundsToNearestEven() {
    assertEquals((short) 0x3f80, HalfFloats.toBfloat16(1.00390625f));
    assertEquals((short) 0x3f82, HalfFloats.toBfloat16(1.01171875f));
    assertEquals((short) 0x3f81, HalfFloats.toBfloat16(Math.nextUp(1.00390625f)));
    assertEquals((short) 0x7f80, HalfFloats.toBfloat16(Float.MAX_VALUE));
    assertTrue(Float.isNaN(HalfFloats.fromBfloat16(HalfFloats.toBfloat16(Float.intBitsToFloat(0x7f800001)))));
  }
}
