package io.github.grpo4j.testing;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;

/** Reads small trusted safetensors files of golden values as doubles; independent of the reader under test. */
public final class TinySafetensors {
  /** Row-major values with their shape. */
  public record Array(int[] shape, double[] values) {
    public float[] floats() {
      float[] floats = new float[values.length];
      for (int i = 0; i < floats.length; i++) {
        floats[i] = (float) values[i];
      }
      return floats;
    }
  }

  private final Map<String, Array> arrays = new HashMap<>();
  private final JsonNode info;

  public TinySafetensors(Path file) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    byte[] header = new byte[Math.toIntExact(bytes.getLong())];
    bytes.get(header);
    JsonNode entries = new ObjectMapper().readTree(header);
    info = new ObjectMapper().readTree(entries.path("__metadata__").path("info").asText("{}"));
    for (Iterator<String> names = entries.fieldNames(); names.hasNext(); ) {
      String name = names.next();
      if (!name.equals("__metadata__")) {
        arrays.put(name, read(bytes, 8 + header.length, entries.get(name)));
      }
    }
  }

  /** The settings that the file was made with. */
  public JsonNode info() {
    return info;
  }

  public Set<String> names() {
    return arrays.keySet();
  }

  public Array get(String name) {
    Array array = arrays.get(name);
    if (array == null) {
      throw new IllegalArgumentException("no tensor " + name + " among " + arrays.keySet());
    }
    return array;
  }

  private static Array read(ByteBuffer bytes, int dataStart, JsonNode entry) {
    int[] shape = new int[entry.get("shape").size()];
    int count = 1;
    for (int i = 0; i < shape.length; i++) {
      shape[i] = entry.get("shape").get(i).asInt();
      count *= shape[i];
    }
    String dtype = entry.get("dtype").asText();
    int at = dataStart + entry.get("data_offsets").get(0).asInt();
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      values[i] = switch (dtype) {
        case "F64" -> bytes.getDouble(at + 8 * i);
        case "F32" -> bytes.getFloat(at + 4 * i);
        case "I32" -> bytes.getInt(at + 4 * i);
        default -> throw new IllegalArgumentException("dtype " + dtype);
      };
    }
    return new Array(shape, values);
  }
}
