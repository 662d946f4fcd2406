package io.github.grpo4j.backend.cuda;

import static org.bytedeco.cuda.global.cublas.CUBLAS_COMPUTE_32F;
import static org.bytedeco.cuda.global.cublas.CUBLAS_GEMM_DEFAULT;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_N;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_T;
import static org.bytedeco.cuda.global.cublas.CUBLAS_STATUS_SUCCESS;

import io.github.grpo4j.backend.BackendException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.cuda.cublas.cublasContext;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.javacpp.FloatPointer;

/**
 * The matrix products of a linear layer by cuBLAS, on row-major matrices, with fp32 sums.
 *
 * <p>cuBLAS is column-major: it sees a row-major {@code [rows, columns]} matrix as its transpose. So {@code y = x w^T} is asked
 * for as {@code y^T = w x^T}, and nothing is moved.
 */
public final class CudaGemm implements AutoCloseable {
  /** What NVIDIA recommends for Hopper. Given by us, so that a captured graph holds no memory of cuBLAS' own. */
  private static final long WORKSPACE_BYTES = 32L << 20;
  private static final int MAJOR_VERSION = 0;

  /** How a matrix is stored. */
  public enum Type {
    F32(0, Float.BYTES),
    BF16(14, Short.BYTES);

    /** Of {@code cudaDataType_t}. */
    private final int code;
    private final int bytes;

    Type(int code, int bytes) {
      this.code = code;
      this.bytes = bytes;
    }
  }

  private final CudaDevice device;
  private final cublasContext handle = new cublasContext();
  private final long workspace;
  private final FloatPointer zero = new FloatPointer(0f);
  private final FloatPointer one = new FloatPointer(1f);
  private final CudaDevice.Address a = new CudaDevice.Address();
  private final CudaDevice.Address b = new CudaDevice.Address();
  private final CudaDevice.Address c = new CudaDevice.Address();
  /** Vectors of ones, by {@link Type}: a bias is added, and its gradient summed, by a product with one. */
  private final List<Long> ones = new ArrayList<>();
  private final long[] latestOnes = new long[Type.values().length];
  private final long[] onesCount = new long[Type.values().length];

  public CudaGemm(CudaDevice device) {
    this.device = device;
    check(cublas.cublasCreate_v2(handle), "cublasCreate");
    check(cublas.cublasSetStream_v2(handle, device.stream()), "cublasSetStream");
    workspace = device.allocateRaw(WORKSPACE_BYTES);
    if (workspace == 0) {
      throw new BackendException("the GPU has no " + WORKSPACE_BYTES + " bytes left for cuBLAS");
    }
    check(cublas.cublasSetWorkspace_v2(handle, a.at(workspace), WORKSPACE_BYTES), "cublasSetWorkspace");
  }

  static int libraryMajorVersion() {
    int[] major = new int[1];
    check(cublas.cublasGetProperty(MAJOR_VERSION, major), "cublasGetProperty");
    return major[0];
  }

  /** {@code y [m, n] = x [m, k] w^T + bias}, w {@code [n, k]}; bias {@code [n]} or 0; with accumulate, {@code y +=}. */
  public void linear(long y, Type yType, long x, long w, long bias, Type type, long m, long n, long k, boolean accumulate) {
    if (m == 0) {
      return;
    }
    if (bias != 0) {
      product(CUBLAS_OP_N, CUBLAS_OP_N, n, m, 1, bias, type, n, ones(type, m), type, 1, accumulate, y, yType, n);
    }
    product(CUBLAS_OP_T, CUBLAS_OP_N, n, m, k, w, type, k, x, type, k, accumulate || bias != 0, y, yType, n);
  }

  /** {@code dx [m, k] = dy [m, n] w}; with accumulate, {@code dx +=}. */
  public void backwardInput(long dx, long dy, long w, Type type, long m, long n, long k, boolean accumulate) {
    if (m > 0) {
      product(CUBLAS_OP_N, CUBLAS_OP_N, k, m, n, w, type, k, dy, type, n, accumulate, dx, type, k);
    }
  }

  /** {@code dw} (F32 {@code [n, k]}) {@code += dy^T x}. */
  public void backwardWeight(long dw, long dy, long x, Type type, long m, long n, long k) {
    if (m > 0) {
      product(CUBLAS_OP_N, CUBLAS_OP_T, k, n, m, x, type, k, dy, type, n, true, dw, Type.F32, k);
    }
  }

  /** {@code dbias} (F32 {@code [n]}) {@code +=} column sums of dy {@code [m, n]}. */
  public void backwardBias(long dbias, long dy, Type type, long m, long n) {
    if (m > 0) {
      product(CUBLAS_OP_N, CUBLAS_OP_N, n, 1, m, dy, type, n, ones(type, m), type, m, true, dbias, Type.F32, n);
    }
  }

  /** {@code C [m, n] = op(A) op(B)}, column-major; with accumulate, {@code C +=}. */
  private void product(int opA, int opB, long m, long n, long k, long matrixA, Type typeA, long strideA, long matrixB, Type typeB, long strideB,
      boolean accumulate, long matrixC, Type typeC, long strideC) {
    check(cublas.cublasGemmEx_64(handle, opA, opB, m, n, k, one, a.at(matrixA), typeA.code, strideA, b.at(matrixB), typeB.code, strideB,
        accumulate ? one : zero, c.at(matrixC), typeC.code, strideC, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
        "cublasGemmEx of " + m + " x " + n + " x " + k);
  }

  private long ones(Type type, long count) {
    int index = type.ordinal();
    if (onesCount[index] < count) {
      long rounded = Math.max(1024, Long.highestOneBit(count - 1) << 1);
      long address = device.allocateRaw(rounded * type.bytes);
      if (address == 0) {
        throw new BackendException("the GPU has no " + rounded * type.bytes + " bytes left for a vector of ones");
      }
      ones.add(address); // the shorter one stays: recorded graphs may name it
      latestOnes[index] = address;
      onesCount[index] = rounded;
      int[] words = new int[(int) (rounded * type.bytes / Integer.BYTES)];
      Arrays.fill(words, type == Type.F32 ? Float.floatToRawIntBits(1f) : 0x3F803F80);
      device.staging().upload(address, words, 0, words.length);
    }
    return latestOnes[index];
  }

  @Override
  public void close() {
    cublas.cublasDestroy_v2(handle);
    device.free(workspace);
    ones.forEach(device::free);
    zero.close();
    one.close();
  }

  private static void check(int status, String call) {
    if (status != CUBLAS_STATUS_SUCCESS) {
      throw new BackendException(call + " failed: " + cublas.cublasGetStatusString(status).getString());
    }
  }
}
