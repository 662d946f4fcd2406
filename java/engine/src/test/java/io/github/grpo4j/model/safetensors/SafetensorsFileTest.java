package io.github.grpo4j.model.safetensors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsFileTest {
  private static final String ENTRY = "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}";

  @TempDir Path folder;

  private Path file(String header, int dataBytes) throws IOException {
    return file(header.getBytes(StandardCharsets.UTF_8), dataBytes);
  }

  private Path file(byte[] header, int dataBytes) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(8 + header.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(header.length).put(header);
    return Files.write(folder.resolve("x.safetensors"), bytes.array());
  }

  private static String rejection(Path path) {
    String message = assertThrows(ModelFormatException.class, () -> SafetensorsFile.open(path).close()).getMessage();
    assertTrue(message.startsWith(path.toString()), message);
    return message;
  }

  @Test
  void readsEveryTypeThatModelsUse() throws IOException {
    List<TensorInfo> tensors = List.of(TensorInfo.of("f64", StoredType.F64, 2), TensorInfo.of("f32", StoredType.F32, 1, 2),
        TensorInfo.of("bf16", StoredType.BF16, 2), TensorInfo.of("f16", StoredType.F16, 4), TensorInfo.of("i64", StoredType.I64, 2),
        TensorInfo.of("i32", StoredType.I32), TensorInfo.of("u8", StoredType.U8, 2), TensorInfo.of("empty", StoredType.F32, 0, 7));
    Path path = folder.resolve("types.safetensors");
    try (SafetensorsWriter writer = SafetensorsWriter.create(path, tensors, SafetensorsWriter.PYTORCH)) {
      for (TensorInfo tensor : writer.tensors()) {
        ByteBuffer data = ByteBuffer.allocate((int) tensor.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        switch (tensor.name()) {
          case "f64" -> data.putDouble(0.1).putDouble(-2);
          case "f32" -> data.putFloat(1.5f).putFloat(Float.MIN_VALUE);
          case "bf16" -> data.putShort((short) 0x3f80).putShort((short) 0xc049);
          case "f16" -> data.putShort((short) 0x3555).putShort((short) 0x8001).putShort((short) 0x7bff).putShort((short) 0xfc00);
          case "i64" -> data.putLong(-1).putLong(Integer.MAX_VALUE);
          case "i32" -> data.putInt(Integer.MIN_VALUE);
          case "u8" -> data.put((byte) 0).put((byte) 255);
          default -> { }
        }
        writer.write(data.flip());
      }
      writer.finish();
    }
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      assertArrayEquals(new float[] {0.1f, -2}, file.floats("f64"));
      assertArrayEquals(new double[] {0.1, -2}, file.doubles("f64"));
      assertArrayEquals(new float[] {1.5f, Float.MIN_VALUE}, file.floats("f32"));
      assertArrayEquals(new float[] {1, -3.140625f}, file.floats("bf16"));
      assertArrayEquals(new float[] {0.333251953125f, -0x1p-24f, 65504, Float.NEGATIVE_INFINITY}, file.floats("f16"));
      assertArrayEquals(new int[] {-1, Integer.MAX_VALUE}, file.ints("i64"));
      assertArrayEquals(new int[] {Integer.MIN_VALUE}, file.ints("i32"));
      assertArrayEquals(new int[] {0, 255}, file.ints("u8"));
      assertEquals(0, file.floats("empty").length);
      assertEquals("pt", file.metadata().get("format"));
      assertEquals(8, ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN).getLong() % 8 + 8);
      String wrong = assertThrows(ModelFormatException.class, () -> file.floats("i32")).getMessage();
      assertTrue(wrong.contains("i32 I32[]") && wrong.contains(path.toString()), wrong);
      assertTrue(assertThrows(ModelFormatException.class, () -> file.floats("absent")).getMessage().contains("\"absent\""));
    }
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
      []                                                                        | 0 | does not start with a JSON object
      {                                                                         | 0 | not valid JSON
      {} {}                                                                     | 0 | something follows
      {%s                                                                       | 8 | not valid JSON
      {%s,%s}                                                                   | 8 | Duplicate field 'a'
      {"__metadata__":{"n":1},%s}                                               | 8 | is not a text
      {"a":7}                                                                   | 0 | tensor "a" is not a JSON object
      {"a":{"dtype":"F32","shape":[2]}}                                         | 8 | needs dtype, shape and data_offsets
      {"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}                    | 8 | unknown dtype "F31"
      {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}              | 8 | unknown key "x"
      {"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}                    | 8 | not a begin and an end
      {"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}                      | 8 | not a begin and an end
      {"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}                    | 8 | F32[3] has 12
      {"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}                   | 8 | holds -2
      {"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}                  | 8 | not a list of whole numbers
      {"a":{"dtype":"F32","shape":[18446744073709551618],"data_offsets":[0,8]}} | 8 | which is not a size
      {"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}} | 0 | overflows 64 bits
      {"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}                   | 12 | begins at byte 4
      {%s,"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}                  | 8 | begins at byte 4 of the data; the one before it ends at 8
      {%s,"b":{"dtype":"U8","shape":[4],"data_offsets":[12,16]}}                | 16 | begins at byte 12
      {%s}                                                                      | 9 | end at byte 8 of the data, but the file has 9
      {%s}                                                                      | 7 | cut off
      """)
  void rejectsHeadersThatBreakARule(String header, int dataBytes, String cause) throws IOException {
    String message = rejection(file(header.replace("%s", ENTRY), dataBytes));
    assertTrue(message.contains(cause), message);
  }

  @Test
  void rejectsLengthsThatTheFileCannotHave() throws IOException {
    Path path = folder.resolve("x.safetensors");
    assertTrue(rejection(path).contains("does not exist"));
    assertTrue(rejection(Files.write(path, new byte[5])).contains("only 5 bytes"));
    for (long length : new long[] {100_000_001L, Long.MAX_VALUE, -1L}) {
      Files.write(path, ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putLong(length).array());
      assertTrue(rejection(path).contains(Long.toUnsignedString(length)));
    }
    Files.write(path, ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putLong(9).array());
    assertTrue(rejection(path).contains("cut off"));
    assertTrue(rejection(folder).contains("not a file"));
  }

  @Test
  void rejectsHeadersThatAreNotUtf8() throws IOException {
    byte[] header = ("{" + ENTRY + "}").getBytes(StandardCharsets.UTF_8);
    header[2] = (byte) 0xff;
    assertTrue(rejection(file(header, 8)).contains("UTF-8"));
  }

  /** Every file that is one random change away from a valid one opens, or fails with a sentence; nothing else. */
  @Test
  void randomDamageGivesOnlyTypedErrors() throws IOException {
    byte[] valid = Files.readAllBytes(file("{\"__metadata__\":{\"format\":\"pt\"}," + ENTRY
        + ",\"b\":{\"dtype\":\"BF16\",\"shape\":[3,2],\"data_offsets\":[8,20]}}", 20));
    Random random = new Random(7);
    Path path = folder.resolve("damaged.safetensors");
    int rejected = 0;
    for (int round = 0; round < 3000; round++) {
      byte[] bytes = random.nextInt(10) == 0 ? Arrays.copyOf(valid, random.nextInt(valid.length)) : valid.clone();
      for (int change = random.nextInt(3); change >= 0 && bytes.length > 0; change--) {
        bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
      }
      Files.write(path, bytes);
      try (SafetensorsFile file = SafetensorsFile.open(path)) {
        for (TensorInfo info : file.tensors().values()) {
          assertEquals(info.bytes(), file.buffer(info.name()).remaining());
        }
      } catch (ModelFormatException e) {
        rejected++;
      }
    }
    assertTrue(rejected > 1000, "only " + rejected + " were damaged");
  }

  @Test
  void readsTensorsBeyondTwoGibibytes() throws IOException {
    long big = 3L << 30;
    Path path = folder.resolve("big.safetensors");
    byte[] header = ("{\"big\":{\"dtype\":\"U8\",\"shape\":[" + big + "],\"data_offsets\":[0," + big + "]},"
        + "\"small\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[" + big + "," + (big + 4) + "]}}").getBytes(StandardCharsets.UTF_8);
    try (RandomAccessFile sparse = new RandomAccessFile(path.toFile(), "rw")) {
      sparse.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(header.length).array());
      sparse.write(header);
      sparse.seek(8 + header.length + big - 1);
      sparse.write(new byte[] {42, 0, 0, (byte) 0x80, 0x3f});
    }
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      assertArrayEquals(new float[] {1}, file.floats("small"));
      ByteBuffer end = file.slice("big", big - 3, 3);
      assertEquals(42, end.get(2));
      ByteBuffer read = ByteBuffer.allocateDirect(8);
      file.read("big", big - 3, 3, read);
      assertEquals(end, read);
      assertTrue(assertThrows(ModelFormatException.class, () -> file.buffer("big")).getMessage().contains("in slices"));
      assertThrows(IllegalArgumentException.class, () -> file.slice("big", big - 3, 4));
      assertThrows(IllegalArgumentException.class, () -> file.read("big", big - 3, 4, read));
    }
  }
}
