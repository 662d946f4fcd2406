package io.github.grpo4j.backend.cuda;

import static org.bytedeco.cuda.global.cublas.CUBLAS_STATUS_SUCCESS;

import io.github.grpo4j.backend.BackendException;
import io.github.grpo4j.backend.cuda.runtime.CudaDevice;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.javacpp.FloatPointer;

/**
 * The matrix products of a linear layer by cuBLASLt, on row-major matrices, with fp32 sums. A bias is added as a product leaves
 * its registers. (SwiGLU is not: cuBLASLt has ReLU and GELU there, and no product of two halves of a row.)
 *
 * <p>cuBLASLt is column-major: it sees a row-major {@code [rows, columns]} matrix as its transpose. So {@code y = x w^T} is asked
 * for as {@code y^T = w x^T}, and nothing is moved.
 */
final class CudaGemm implements AutoCloseable {
  /** What NVIDIA recommends for Hopper. */
  private static final long WORKSPACE_BYTES = 32L << 20;
  /** Token counts of packed batches differ from one to the next; beyond these, what was used longest ago is worked out again. */
  private static final int MAX_PLANS = 1024;
  private static final int MAJOR_VERSION = 0;

  /** How a matrix is stored. */
  enum Type {
    F32(0),
    F16(2),
    BF16(14);

    /** Of {@code cudaDataType_t}. */
    private final int code;

    Type(int code) {
      this.code = code;
    }

    int code() {
      return code;
    }
  }

  private final CudaDevice device;
  private final cublasLtContext handle = new cublasLtContext();
  private final long workspace;
  private final FloatPointer zero = new FloatPointer(0f);
  private final FloatPointer one = new FloatPointer(1f);
  private final CudaDevice.Address a = new CudaDevice.Address();
  private final CudaDevice.Address b = new CudaDevice.Address();
  private final CudaDevice.Address d = new CudaDevice.Address();
  private final CudaDevice.Address work = new CudaDevice.Address();
  private final Map<MatmulPlan.Product, MatmulPlan> plans = new LinkedHashMap<>(16, 0.75f, true) {
    @Override
    protected boolean removeEldestEntry(Map.Entry<MatmulPlan.Product, MatmulPlan> eldest) {
      if (size() <= MAX_PLANS) {
        return false;
      }
      eldest.getValue().close(); // what was queued with it has been read by then
      return true;
    }
  };

  CudaGemm(CudaDevice device) {
    this.device = device;
    check(cublas.cublasLtCreate(handle), "cublasLtCreate");
    workspace = device.allocateRaw(WORKSPACE_BYTES);
    if (workspace == 0) {
      throw new BackendException("the GPU has no " + WORKSPACE_BYTES + " bytes left for cuBLASLt");
    }
  }

  static int libraryMajorVersion() {
    int[] major = new int[1];
    check(cublas.cublasLtGetProperty(MAJOR_VERSION, major), "cublasLtGetProperty");
    return major[0];
  }

  /** {@code y [m, n] = x [m, k] w^T + bias}, w {@code [n, k]}; bias {@code [n]}, of y's type, or 0; with accumulate, {@code y +=}. */
  void linear(long y, Type yType, long x, long w, long bias, Type type, long m, long n, long k, boolean accumulate) {
    product(true, false, n, m, k, type, w, x, yType, y, accumulate, bias);
  }

  /** {@code dx [m, k] = dy [m, n] w}; with accumulate, {@code dx +=}. */
  void backwardInput(long dx, long dy, long w, Type type, long m, long n, long k, boolean accumulate) {
    product(false, false, k, m, n, type, w, dy, type, dx, accumulate, 0);
  }

  /** {@code dw} (F32 {@code [n, k]}) {@code += dy^T x}. */
  void backwardWeight(long dw, long dy, long x, Type type, long m, long n, long k) {
    if (m > 0) {
      product(false, true, k, n, m, type, x, dy, Type.F32, dw, true, 0);
    }
  }

  /** {@code D [m, n] = op(A) op(B)} (column-major) {@code + bias}; with accumulate, {@code D +=}. */
  private void product(boolean transposeA, boolean transposeB, long m, long n, long k, Type type, long matrixA, long matrixB, Type typeD,
      long matrixD, boolean accumulate, long bias) {
    if (n == 0) {
      return;
    }
    MatmulPlan.Product product = new MatmulPlan.Product(transposeA, transposeB, m, n, k, type, typeD, bias != 0,
        MatmulPlan.alignment(matrixA), MatmulPlan.alignment(matrixB), MatmulPlan.alignment(matrixD), MatmulPlan.alignment(bias));
    MatmulPlan plan = plans.computeIfAbsent(product, absent -> new MatmulPlan(handle, absent, WORKSPACE_BYTES));
    plan.run(handle, device.stream(), one, a.at(matrixA), b.at(matrixB), accumulate ? one : zero, d.at(matrixD), bias,
        work.at(workspace), WORKSPACE_BYTES);
  }

  @Override
  public void close() {
    plans.values().forEach(MatmulPlan::close);
    cublas.cublasLtDestroy(handle);
    device.free(workspace);
    zero.close();
    one.close();
  }

  static void check(int status, String call) {
    if (status != CUBLAS_STATUS_SUCCESS) {
      throw new BackendException(call + " failed: " + cublas.cublasLtGetStatusString(status).getString());
    }
  }
}
