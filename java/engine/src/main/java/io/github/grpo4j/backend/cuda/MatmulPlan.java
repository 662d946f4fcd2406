package io.github.grpo4j.backend.cuda;

import static org.bytedeco.cuda.global.cublas.CUBLASLT_EPILOGUE_BIAS;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_BIAS_POINTER;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_EPILOGUE;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_TRANSA;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_TRANSB;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
import static org.bytedeco.cuda.global.cublas.CUBLAS_COMPUTE_32F;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_N;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_T;
import static org.bytedeco.cuda.global.cudart.CUDA_R_32F;

import io.github.grpo4j.backend.BackendException;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cublas.cublasLtMatmulDescOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulHeuristicResult_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulPreferenceOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatrixLayoutOpaque_t;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * What cuBLASLt wants to know about one product, worked out once: descriptors and the algorithm that its heuristic takes. The
 * same product runs the same algorithm ever after, so it has the same bits.
 *
 * <p>Sums are fp32 in every type: {@code CUBLAS_COMPUTE_32F}, which for fp32 matrices means fp32 products too, never TF32. Where
 * a sum is split, its parts are kept in fp32 in the workspace and added in a second kernel, in a fixed order; schemes that add
 * parts in the type of the result are excluded.
 */
final class MatmulPlan implements AutoCloseable {
  /** Tensors of an arena are aligned like that; no algorithm reads more at once. */
  private static final int ALIGNMENT = 64;

  /**
   * {@code D [m, n] = op(A) op(B)}, column-major; as many rows lie in a column as its stride says.
   *
   * @param type of A and B
   * @param typeD of D and of the bias
   * @param bias whether a vector {@code [m]} is added to each column
   * @param alignA bytes that divide the address of A, at most {@link #ALIGNMENT}; so for the others
   */
  record Product(boolean transposeA, boolean transposeB, long m, long n, long k, CudaGemm.Type type, CudaGemm.Type typeD, boolean bias,
      int alignA, int alignB, int alignD, int alignBias) {
    @Override
    public String toString() {
      return (bias ? "a product with bias, " : "a product, ") + m + " x " + n + " x " + k + ", of " + type + " into " + typeD;
    }
  }

  private final Product product;
  private final cublasLtMatmulDescOpaque_t operation = new cublasLtMatmulDescOpaque_t();
  private final cublasLtMatrixLayoutOpaque_t a;
  private final cublasLtMatrixLayoutOpaque_t b;
  private final cublasLtMatrixLayoutOpaque_t d;
  private final cublasLtMatmulHeuristicResult_t choice = new cublasLtMatmulHeuristicResult_t();
  private final LongPointer biasAddress = new LongPointer(1);

  MatmulPlan(cublasLtContext handle, Product product, long workspaceBytes) {
    this.product = product;
    CudaGemm.check(cublas.cublasLtMatmulDescInit(operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescInit");
    set(CUBLASLT_MATMUL_DESC_TRANSA, product.transposeA ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, product.transposeB ? CUBLAS_OP_T : CUBLAS_OP_N);
    if (product.bias) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      setBias(product.alignBias); // the heuristic looks at the alignment of this address, and at nothing else
    }
    a = product.transposeA ? layout(product.type, product.k, product.m) : layout(product.type, product.m, product.k);
    b = product.transposeB ? layout(product.type, product.n, product.k) : layout(product.type, product.k, product.n);
    d = layout(product.typeD, product.m, product.n);
    choose(handle, workspaceBytes);
  }

  static int alignment(long address) {
    return (int) Math.min(ALIGNMENT, address == 0 ? ALIGNMENT : Long.lowestOneBit(address));
  }

  private static cublasLtMatrixLayoutOpaque_t layout(CudaGemm.Type type, long rows, long columns) {
    cublasLtMatrixLayoutOpaque_t layout = new cublasLtMatrixLayoutOpaque_t();
    CudaGemm.check(cublas.cublasLtMatrixLayoutInit(layout, type.code(), rows, columns, rows), "cublasLtMatrixLayoutInit");
    return layout;
  }

  private void set(int attribute, int value) {
    try (IntPointer pointer = new IntPointer(1).put(value)) {
      CudaGemm.check(cublas.cublasLtMatmulDescSetAttribute(operation, attribute, pointer, Integer.BYTES), "cublasLtMatmulDescSetAttribute");
    }
  }

  private void setBias(long address) {
    CudaGemm.check(cublas.cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, biasAddress.put(address), Long.BYTES),
        "cublasLtMatmulDescSetAttribute");
  }

  private void choose(cublasLtContext handle, long workspaceBytes) {
    try (cublasLtMatmulPreferenceOpaque_t preference = new cublasLtMatmulPreferenceOpaque_t();
        LongPointer bytes = new LongPointer(1).put(workspaceBytes)) {
      CudaGemm.check(cublas.cublasLtMatmulPreferenceInit(preference), "cublasLtMatmulPreferenceInit");
      CudaGemm.check(cublas.cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, bytes, Long.BYTES),
          "cublasLtMatmulPreferenceSetAttribute");
      prefer(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE); // or none, which has no bit
      prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, product.alignA);
      prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, product.alignB);
      prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, product.alignD);
      prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, product.alignD);
      int[] found = new int[1];
      CudaGemm.check(cublas.cublasLtMatmulAlgoGetHeuristic(handle, operation, a, b, d, d, preference, 1, choice, found),
          "cublasLtMatmulAlgoGetHeuristic for " + product);
      if (found[0] == 0) {
        throw new BackendException("cuBLASLt has no algorithm for " + product);
      }
    }
  }

  private static void prefer(cublasLtMatmulPreferenceOpaque_t preference, int attribute, int value) {
    try (IntPointer pointer = new IntPointer(1).put(value)) {
      CudaGemm.check(cublas.cublasLtMatmulPreferenceSetAttribute(preference, attribute, pointer, Integer.BYTES),
          "cublasLtMatmulPreferenceSetAttribute");
    }
  }

  /** Queues {@code D = op(A) op(B) + beta D + bias}. */
  void run(cublasLtContext handle, CUstream_st stream, Pointer one, Pointer matrixA, Pointer matrixB, Pointer beta, Pointer matrixD,
      long bias, Pointer workspace, long workspaceBytes) {
    if (product.bias) {
      setBias(bias);
    }
    CudaGemm.check(cublas.cublasLtMatmul(handle, operation, one, matrixA, a, matrixB, b, beta, matrixD, d, matrixD, d, choice.algo(),
        workspace, workspaceBytes, stream), "cublasLtMatmul of " + product);
  }

  @Override
  public void close() {
    operation.close();
    a.close();
    b.close();
    d.close();
    choice.close();
    biasAddress.close();
  }
}
