package io.github.grpo4j.model.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Writes a safetensors file as a stream: the header first, then the tensors' bytes one after the other, so a model of any
 * size needs memory for one piece only. Order and layout are the reference implementation's: tensors by descending type
 * and name, the header padded with spaces to a multiple of 8.
 *
 * <pre>{@code
 * try (SafetensorsWriter writer = SafetensorsWriter.create(path, tensors, SafetensorsWriter.PYTORCH)) {
 *   for (TensorInfo tensor : writer.tensors()) {
 *     writer.write(dataOf(tensor)); // as many pieces as you like
 *   }
 *   writer.finish();
 * }
 * }</pre>
 */
public final class SafetensorsWriter implements AutoCloseable {
  /** The metadata that transformers wants to see in a model file. */
  public static final Map<String, String> PYTORCH = Map.of("format", "pt");

  private final String name;
  private final WritableByteChannel channel;
  private final List<TensorInfo> tensors;
  private final long dataBytes;
  private long written;

  /**
   * @param name of the file, for error messages
   * @param channel where to write; closed with the writer
   */
  public SafetensorsWriter(String name, WritableByteChannel channel, Iterable<TensorInfo> tensors, Map<String, String> metadata)
      throws IOException {
    this.name = name;
    this.channel = channel;
    List<TensorInfo> placed = new ArrayList<>();
    long end = 0;
    for (TensorInfo info : SafetensorsHeader.inReferenceOrder(tensors)) {
      placed.add(info.at(end));
      end = Math.addExact(end, info.bytes());
    }
    this.tensors = List.copyOf(placed);
    this.dataBytes = end;
    writeFully(header(metadata));
  }

  /** A new file; an existing one is replaced. */
  @SuppressWarnings("resource") // the channel belongs to the returned object
  public static SafetensorsWriter create(Path path, Iterable<TensorInfo> tensors, Map<String, String> metadata) throws IOException {
    FileChannel channel = FileChannel.open(
        path, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE);
    try {
      return new SafetensorsWriter(path.toString(), channel, tensors, metadata);
    } catch (Throwable e) {
      channel.close();
      throw e;
    }
  }

  /** The tensors in the order in which their data is to be written. */
  public List<TensorInfo> tensors() {
    return tensors;
  }

  /** Appends bytes of the data, which belong to the tensor whose turn it is. */
  public void write(ByteBuffer piece) throws IOException {
    if (piece.remaining() > dataBytes - written) {
      throw new IllegalStateException(piece.remaining() + " more bytes for " + name + ", whose tensors have " + dataBytes
          + " bytes in all and got " + written);
    }
    written += piece.remaining();
    writeFully(piece);
  }

  /** Appends floats as F32. */
  public void write(float[] values) throws IOException {
    ByteBuffer piece = ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN);
    for (int done = 0; done < values.length; ) {
      int count = Math.min(piece.capacity() / Float.BYTES, values.length - done);
      piece.clear();
      piece.asFloatBuffer().put(values, done, count);
      write(piece.limit(count * Float.BYTES));
      done += count;
    }
  }

  /** Ends the file: all data must have been written. It is forced to the disk if it is a file. */
  public void finish() throws IOException {
    if (written != dataBytes) {
      throw new IllegalStateException(name + " got " + written + " of its " + dataBytes + " bytes of data");
    }
    if (channel instanceof FileChannel file) {
      file.force(true);
    }
  }

  private ByteBuffer header(Map<String, String> metadata) throws IOException {
    ByteArrayOutputStream json = new ByteArrayOutputStream();
    try (JsonGenerator generator = new JsonFactory().createGenerator(json)) {
      generator.writeStartObject();
      if (!metadata.isEmpty()) {
        generator.writeObjectFieldStart("__metadata__");
        for (String key : metadata.keySet().stream().sorted().toList()) {
          generator.writeStringField(key, metadata.get(key));
        }
        generator.writeEndObject();
      }
      for (TensorInfo info : tensors) {
        generator.writeObjectFieldStart(info.name());
        generator.writeStringField("dtype", info.type().name());
        generator.writeFieldName("shape");
        long[] shape = info.shape();
        generator.writeArray(shape, 0, shape.length);
        generator.writeFieldName("data_offsets");
        generator.writeArray(new long[] {info.begin(), info.begin() + info.bytes()}, 0, 2);
        generator.writeEndObject();
      }
      generator.writeEndObject();
    }
    byte[] text = json.toByteArray();
    int length = (text.length + 7) / 8 * 8;
    if (length > SafetensorsHeader.MAX_BYTES) {
      throw new IllegalArgumentException("the header of " + name + " would have " + length + " bytes; at most "
          + SafetensorsHeader.MAX_BYTES + " are allowed");
    }
    byte[] padded = Arrays.copyOf(text, length);
    Arrays.fill(padded, text.length, length, (byte) ' ');
    return ByteBuffer.allocate(Long.BYTES + length).order(ByteOrder.LITTLE_ENDIAN).putLong(length).put(padded).flip();
  }

  private void writeFully(ByteBuffer bytes) throws IOException {
    try {
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    } catch (IOException e) {
      throw new IOException(name + " could not be written: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
