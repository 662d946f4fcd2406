package io.github.grpo4j.backend.kernel;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.Pointer;

/**
 * Bulk moves between Java arrays and memory at a raw address. Arrays go through a direct buffer over the address: one copy,
 * where JNI array arguments would make two.
 */
public final class HostMemory {
  /** Elements of one move: a buffer spans less than 2 GiB, so longer arrays go in pieces. */
  static final int PIECE = 1 << 24;

  private HostMemory() {}

  public static void put(long address, float[] src, int offset, int count) {
    for (int done = 0; done < count; done += PIECE) {
      int piece = Math.min(PIECE, count - done);
      view(address + 4L * done, 4L * piece).asFloatBuffer().put(src, offset + done, piece);
    }
  }

  public static void put(long address, int[] src, int offset, int count) {
    for (int done = 0; done < count; done += PIECE) {
      int piece = Math.min(PIECE, count - done);
      view(address + 4L * done, 4L * piece).asIntBuffer().put(src, offset + done, piece);
    }
  }

  public static void get(long address, float[] dst, int offset, int count) {
    for (int done = 0; done < count; done += PIECE) {
      int piece = Math.min(PIECE, count - done);
      view(address + 4L * done, 4L * piece).asFloatBuffer().get(dst, offset + done, piece);
    }
  }

  public static void get(long address, int[] dst, int offset, int count) {
    for (int done = 0; done < count; done += PIECE) {
      int piece = Math.min(PIECE, count - done);
      view(address + 4L * done, 4L * piece).asIntBuffer().get(dst, offset + done, piece);
    }
  }

  public static void get(long address, double[] dst, int offset, int count) {
    for (int done = 0; done < count; done += PIECE) {
      int piece = Math.min(PIECE, count - done);
      view(address + 8L * done, 8L * piece).asDoubleBuffer().get(dst, offset + done, piece);
    }
  }

  /** The address of the buffer's next byte. */
  public static long addressOf(ByteBuffer direct) {
    return new Pointer(direct).address() + direct.position();
  }

  /** The memory at an address that somebody else owns, in native byte order. */
  public static ByteBuffer view(long address, long bytes) {
    return new MemoryView(address, bytes).asByteBuffer().order(ByteOrder.nativeOrder());
  }

  /** Bytes at an address that somebody else owns. */
  private static final class MemoryView extends Pointer {
    MemoryView(long address, long bytes) {
      this.address = address;
      this.limit = bytes;
      this.capacity = bytes;
    }

    /** JavaCPP would look up an element size for this class, find that of a pointer, and make the buffer 8 times as long. */
    @Override
    public int sizeof() {
      return 1;
    }
  }
}
