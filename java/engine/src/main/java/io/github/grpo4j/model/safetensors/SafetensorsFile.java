package io.github.grpo4j.model.safetensors;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Map;

/**
 * A safetensors file, open for reading. The header is checked in full when the file is opened (sizes against the file's
 * length before anything is allocated), so a hostile or truncated file fails there, with a sentence. Data is memory-mapped,
 * tensor by tensor, or read in pieces: files may be of any size.
 *
 * <pre>{@code
 * try (SafetensorsFile file = SafetensorsFile.open(Path.of("model.safetensors"))) {
 *   float[] norm = file.floats("model.norm.weight");
 * }
 * }</pre>
 *
 * <p>Mapped buffers stay valid after {@link #close}; they see changes of the file, so a file must not be rewritten in place
 * while it is read.
 */
public final class SafetensorsFile implements AutoCloseable {
  private final Path path;
  private final FileChannel channel;
  private final SafetensorsHeader header;
  private final long dataStart;

  private SafetensorsFile(Path path, FileChannel channel, SafetensorsHeader header, long dataStart) {
    this.path = path;
    this.channel = channel;
    this.header = header;
    this.dataStart = dataStart;
  }

  /**
   * @throws ModelFormatException if the file does not exist or is not a valid safetensors file
   * @throws IOException if it cannot be read
   */
  @SuppressWarnings("resource") // the channel belongs to the returned object
  public static SafetensorsFile open(Path path) throws IOException {
    FileChannel channel;
    try {
      channel = FileChannel.open(path, StandardOpenOption.READ);
    } catch (NoSuchFileException e) {
      throw new ModelFormatException(path + " does not exist", e);
    }
    try {
      if (!Files.isRegularFile(path)) {
        throw new ModelFormatException(path + " is not a file");
      }
      long fileBytes = channel.size();
      if (fileBytes < Long.BYTES) {
        throw new ModelFormatException(path + " is not a valid safetensors file: it has only " + fileBytes + " bytes");
      }
      long headerBytes = readFully(channel, 0, Long.BYTES).getLong();
      if (headerBytes < 0 || headerBytes > SafetensorsHeader.MAX_BYTES) {
        throw new ModelFormatException(path + " is not a valid safetensors file: its header would have "
            + Long.toUnsignedString(headerBytes) + " bytes; at most " + SafetensorsHeader.MAX_BYTES + " are allowed");
      }
      if (headerBytes > fileBytes - Long.BYTES) {
        throw new ModelFormatException(path + " is not a valid safetensors file: its header would have " + headerBytes
            + " bytes, but the file has only " + fileBytes + " (it was cut off, perhaps by an incomplete download)");
      }
      byte[] json = readFully(channel, Long.BYTES, (int) headerBytes).array();
      long dataStart = Long.BYTES + headerBytes;
      SafetensorsHeader header = SafetensorsHeader.parse(path.toString(), json, fileBytes - dataStart);
      return new SafetensorsFile(path, channel, header, dataStart);
    } catch (Throwable e) {
      channel.close();
      throw e;
    }
  }

  private static ByteBuffer readFully(FileChannel channel, long position, int bytes) throws IOException {
    return readFully(channel, position, ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN));
  }

  /** Fills what remains of an empty buffer, and flips it. */
  private static ByteBuffer readFully(FileChannel channel, long position, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      if (channel.read(buffer, position + buffer.position()) < 0) {
        throw new EOFException("the file became shorter while it was read");
      }
    }
    return buffer.flip();
  }

  public Path path() {
    return path;
  }

  /** All tensors by name, in the order of their data. */
  public Map<String, TensorInfo> tensors() {
    return header.tensors();
  }

  /** The free texts of the header, for example {@code format = pt}. */
  public Map<String, String> metadata() {
    return header.metadata();
  }

  public boolean contains(String name) {
    return header.tensors().containsKey(name);
  }

  /** @throws ModelFormatException if the file has no such tensor */
  public TensorInfo info(String name) {
    TensorInfo info = header.tensors().get(name);
    if (info == null) {
      throw new ModelFormatException(path + " has no tensor " + SafetensorsHeader.quote(name));
    }
    return info;
  }

  /** The data of a tensor below 2 GiB: a read-only, little-endian mapping. */
  public ByteBuffer buffer(String name) throws IOException {
    TensorInfo info = info(name);
    if (info.bytes() > Integer.MAX_VALUE) {
      throw new ModelFormatException("tensor " + info + " of " + path + " has " + info.bytes()
          + " bytes, more than one buffer can hold; read it in slices");
    }
    return slice(name, 0, (int) info.bytes());
  }

  /** Bytes {@code [offset, offset + bytes)} of a tensor: a read-only, little-endian mapping. */
  public ByteBuffer slice(String name, long offset, int bytes) throws IOException {
    return channel.map(FileChannel.MapMode.READ_ONLY, position(name, offset, bytes), bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Reads bytes {@code [offset, offset + bytes)} of a tensor to the start of {@code buffer}, and flips it. A mapping stays with the
   * process until the garbage collector finds it; this is for files of which that would be too much.
   */
  public void read(String name, long offset, int bytes, ByteBuffer buffer) throws IOException {
    readFully(channel, position(name, offset, bytes), buffer.clear().limit(bytes));
  }

  private long position(String name, long offset, int bytes) {
    TensorInfo info = info(name);
    if (offset < 0 || bytes < 0 || offset > info.bytes() - bytes) {
      throw new IllegalArgumentException("bytes " + offset + " to " + (offset + bytes) + " of tensor " + info + " of "
          + info.bytes() + " bytes");
    }
    return dataStart + info.begin() + offset;
  }

  /** The elements of an F64, F32, F16 or BF16 tensor as floats; F64 is rounded. */
  public float[] floats(String name) throws IOException {
    TensorInfo info = info(name);
    float[] values = new float[arrayLength(info)];
    ByteBuffer data = buffer(name);
    switch (info.type()) {
      case F32 -> data.asFloatBuffer().get(values);
      case F64 -> {
        for (int i = 0; i < values.length; i++) {
          values[i] = (float) data.getDouble(8 * i);
        }
      }
      case BF16 -> {
        for (int i = 0; i < values.length; i++) {
          values[i] = HalfFloats.fromBfloat16(data.getShort(2 * i));
        }
      }
      case F16 -> {
        for (int i = 0; i < values.length; i++) {
          values[i] = HalfFloats.fromFloat16(data.getShort(2 * i));
        }
      }
      default -> throw wrongType(info, "F64, F32, F16 or BF16");
    }
    return values;
  }

  /** The elements of an F64, F32, F16 or BF16 tensor as doubles, exactly. */
  public double[] doubles(String name) throws IOException {
    TensorInfo info = info(name);
    double[] values = new double[arrayLength(info)];
    if (info.type() == StoredType.F64) {
      buffer(name).asDoubleBuffer().get(values);
    } else {
      float[] floats = floats(name);
      Arrays.setAll(values, i -> floats[i]);
    }
    return values;
  }

  /** The elements of an I64, I32, U8 or BOOL tensor as ints. */
  public int[] ints(String name) throws IOException {
    TensorInfo info = info(name);
    int[] values = new int[arrayLength(info)];
    ByteBuffer data = buffer(name);
    switch (info.type()) {
      case I32 -> data.asIntBuffer().get(values);
      case I64 -> {
        for (int i = 0; i < values.length; i++) {
          long value = data.getLong(8 * i);
          if (value != (int) value) {
            throw new ModelFormatException("element " + i + " of tensor " + info + " of " + path + " is " + value
                + ", beyond 32 bits");
          }
          values[i] = (int) value;
        }
      }
      case U8, BOOL -> {
        for (int i = 0; i < values.length; i++) {
          values[i] = data.get(i) & 0xff;
        }
      }
      default -> throw wrongType(info, "I64, I32, U8 or BOOL");
    }
    return values;
  }

  private int arrayLength(TensorInfo info) {
    if (info.bytes() > Integer.MAX_VALUE) {
      throw new ModelFormatException("tensor " + info + " of " + path + " is too large for a Java array; read it in slices");
    }
    return (int) info.elements();
  }

  private ModelFormatException wrongType(TensorInfo info, String expected) {
    return new ModelFormatException("tensor " + info + " of " + path + " must be " + expected);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
