package io.github.grpo4j.backend.cuda.cudnn;

import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_ENGINEHEUR_MODE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_ENGINEHEUR_RESULTS;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_MATMUL_COMP_TYPE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATIONGRAPH_OPS;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_MATMUL_ADESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_MATMUL_BDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_MATMUL_CDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_MATMUL_DESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_MATMUL_GEMM_K_OVERRIDE_DESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_MATMUL_GEMM_M_OVERRIDE_DESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_MATMUL_GEMM_N_OVERRIDE_DESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_POINTWISE_BDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_POINTWISE_TDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_POINTWISE_XDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_POINTWISE_YDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_REDUCTION_DESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_REDUCTION_XDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_REDUCTION_YDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_RESHAPE_XDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_OPERATION_RESHAPE_YDESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_POINTWISE_AXIS;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_POINTWISE_MATH_PREC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_POINTWISE_MODE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_REDUCTION_COMP_TYPE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_REDUCTION_OPERATOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_TENSOR_DATA_TYPE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_TENSOR_DIMENSIONS;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_TENSOR_IS_BY_VALUE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_TENSOR_IS_VIRTUAL;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_TENSOR_STRIDES;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_TENSOR_UNIQUE_ID;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_ENGINECFG_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_MATMUL_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_POINTWISE_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_REDUCTION_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_TENSOR_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_BFLOAT16;
import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_BOOLEAN;
import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_FLOAT;
import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_HALF;
import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_INT32;
import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_INT64;
import static org.bytedeco.cuda.global.cudnn.CUDNN_HEUR_MODE_A;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_ADD;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_BINARY_SELECT;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_CMP_GE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_CMP_LT;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_DIV;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_EXP;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_GEN_INDEX;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_LOG;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_LOGICAL_AND;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_MUL;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_SUB;
import static org.bytedeco.cuda.global.cudnn.CUDNN_REDUCE_TENSOR_ADD;
import static org.bytedeco.cuda.global.cudnn.CUDNN_REDUCE_TENSOR_MAX;
import static org.bytedeco.cuda.global.cudnn.CUDNN_STATUS_SUCCESS;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_DATA_TYPE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_HEUR_MODE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_POINTWISE_MODE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_REDUCTION_OPERATOR_TYPE;

import io.github.grpo4j.backend.BackendException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;

/**
 * A computation as cuDNN's graph interface wants it described: tensors of four dimensions, and operations on them in order.
 * cuDNN looks for a kernel that does all of it at once; {@link #plan} has that kernel, or cuDNN's reason for having none.
 *
 * <p>Tensors that lie in memory are bound to addresses when the plan runs; virtual ones exist inside the kernel only.
 */
final class CudnnGraph implements AutoCloseable {
  /** The point at which a {@link CudnnTarget} is asked for. */
  enum Stage {
    GRAPH,
    HEURISTICS,
    PLAN
  }

  /** Element types, with their codes in {@code cudnnDataType_t}. */
  enum Type {
    F32(CUDNN_DATA_FLOAT),
    F16(CUDNN_DATA_HALF),
    BF16(CUDNN_DATA_BFLOAT16),
    I32(CUDNN_DATA_INT32),
    I64(CUDNN_DATA_INT64),
    BOOLEAN(CUDNN_DATA_BOOLEAN);

    private final int code;

    Type(int code) {
      this.code = code;
    }
  }

  /** Pointwise operations, with their codes in {@code cudnnPointwiseMode_t}. */
  enum Pointwise {
    ADD(CUDNN_POINTWISE_ADD),
    SUB(CUDNN_POINTWISE_SUB),
    MUL(CUDNN_POINTWISE_MUL),
    DIV(CUDNN_POINTWISE_DIV),
    EXP(CUDNN_POINTWISE_EXP),
    LOG(CUDNN_POINTWISE_LOG),
    GREATER_OR_EQUAL(CUDNN_POINTWISE_CMP_GE),
    LESS(CUDNN_POINTWISE_CMP_LT),
    AND(CUDNN_POINTWISE_LOGICAL_AND),
    INDEX(CUDNN_POINTWISE_GEN_INDEX),
    SELECT(CUDNN_POINTWISE_BINARY_SELECT);

    private final int code;

    Pointwise(int code) {
      this.code = code;
    }
  }

  /** Reductions, with their codes in {@code cudnnReduceTensorOp_t}. */
  enum Reduction {
    SUM(CUDNN_REDUCE_TENSOR_ADD),
    MAX(CUDNN_REDUCE_TENSOR_MAX);

    private final int code;

    Reduction(int code) {
      this.code = code;
    }
  }

  /**
   * A tensor of the graph.
   *
   * @param id by which an address is bound to it
   * @param shape batch, heads, and two more
   * @param offsets of a tensor whose batch entries are not equally far apart: where each begins, in elements; else null
   */
  record Value(CudnnDescriptor descriptor, long id, Type type, long[] shape, long[] strides, Value offsets) {}

  /** What addresses of memory must be a multiple of. */
  private static final int ALIGNMENT = 16;

  private final List<CudnnDescriptor> owned = new ArrayList<>();
  private final List<CudnnDescriptor> operations = new ArrayList<>();
  private final Map<Long, FloatPointer> constants = new LinkedHashMap<>();
  private long ids;

  // ---- tensors ----

  /** In device memory; {@code offsets} may be null. */
  Value memory(Type type, long[] shape, long[] strides, Value offsets) {
    return tensor(type, shape, strides, offsets, descriptor -> { });
  }

  /** Inside the kernel only, dense. */
  Value virtual(Type type, long... shape) {
    return virtual(type, shape, dense(shape), null);
  }

  Value virtual(Type type, long[] shape, long[] strides, Value offsets) {
    return tensor(type, shape, strides, offsets, descriptor -> descriptor.flag(CUDNN_ATTR_TENSOR_IS_VIRTUAL, true));
  }

  /** A number, as a tensor of one element. */
  Value constant(float value) {
    long[] one = {1, 1, 1, 1};
    Value tensor = tensor(Type.F32, one, one, null, descriptor -> descriptor.flag(CUDNN_ATTR_TENSOR_IS_BY_VALUE, true));
    constants.put(tensor.id(), new FloatPointer(new float[] {value}));
    return tensor;
  }

  private interface Kind {
    void describe(CudnnDescriptor descriptor);
  }

  private Value tensor(Type type, long[] shape, long[] strides, Value offsets, Kind kind) {
    CudnnDescriptor descriptor = own(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    long id = ++ids;
    descriptor.code(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type.code).longs(CUDNN_ATTR_TENSOR_DIMENSIONS, shape)
        .longs(CUDNN_ATTR_TENSOR_STRIDES, strides).longs(CUDNN_ATTR_TENSOR_UNIQUE_ID, id).longs(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, ALIGNMENT);
    kind.describe(descriptor);
    if (offsets != null) {
      descriptor.descriptors(CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC, offsets.descriptor());
    }
    return new Value(descriptor.finish(), id, type, shape, strides, offsets);
  }

  private static long[] dense(long... shape) {
    long[] strides = new long[shape.length];
    long stride = 1;
    for (int i = shape.length - 1; i >= 0; i--) {
      strides[i] = stride;
      stride *= shape[i];
    }
    return strides;
  }

  // ---- operations ----

  /**
   * {@code c = a b}, summed in fp32, for each batch entry and head; a has a multiple of b's heads, which share them in groups.
   * Of each of the three sizes, all counts or, where lengths (I32, one for each batch entry) are given, so many.
   */
  void matmul(Value c, Value a, Value b, Value rows, Value columns, Value depth) {
    CudnnDescriptor kind = own(CUDNN_BACKEND_MATMUL_DESCRIPTOR).code(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, Type.F32.code).finish();
    CudnnDescriptor operation = own(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR).descriptors(CUDNN_ATTR_OPERATION_MATMUL_ADESC, a.descriptor())
        .descriptors(CUDNN_ATTR_OPERATION_MATMUL_BDESC, b.descriptor()).descriptors(CUDNN_ATTR_OPERATION_MATMUL_CDESC, c.descriptor())
        .descriptors(CUDNN_ATTR_OPERATION_MATMUL_DESC, kind);
    lengths(operation, CUDNN_ATTR_OPERATION_MATMUL_GEMM_M_OVERRIDE_DESC, rows);
    lengths(operation, CUDNN_ATTR_OPERATION_MATMUL_GEMM_N_OVERRIDE_DESC, columns);
    lengths(operation, CUDNN_ATTR_OPERATION_MATMUL_GEMM_K_OVERRIDE_DESC, depth);
    add(operation);
  }

  private static void lengths(CudnnDescriptor operation, int attribute, Value lengths) {
    if (lengths != null) {
      operation.descriptors(attribute, lengths.descriptor());
    }
  }

  /** {@code y = op(x)}, or {@code x op b}, or for SELECT {@code x} where {@code condition} holds and {@code b} where not. Null: not used. */
  Value pointwise(Value y, Pointwise op, Type arithmetic, Value x, Value b, Value condition) {
    return pointwise(y, mode(op, arithmetic), x, b, condition);
  }

  Value pointwise(Value y, Pointwise op, Value x, Value b) {
    return pointwise(y, op, Type.F32, x, b, null);
  }

  /** {@code y} = position of each element of x along a dimension. */
  Value index(Value y, Type arithmetic, Value x, int dimension) {
    return pointwise(y, mode(Pointwise.INDEX, arithmetic).longs(CUDNN_ATTR_POINTWISE_AXIS, dimension), x, null, null);
  }

  private CudnnDescriptor mode(Pointwise op, Type arithmetic) {
    return own(CUDNN_BACKEND_POINTWISE_DESCRIPTOR).code(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, op.code)
        .code(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, arithmetic.code);
  }

  private Value pointwise(Value y, CudnnDescriptor mode, Value x, Value b, Value condition) {
    CudnnDescriptor operation = own(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)
        .descriptors(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, mode.finish())
        .descriptors(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x.descriptor()).descriptors(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y.descriptor());
    if (b != null) {
      operation.descriptors(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b.descriptor());
    }
    if (condition != null) {
      operation.descriptors(CUDNN_ATTR_OPERATION_POINTWISE_TDESC, condition.descriptor());
    }
    add(operation);
    return y;
  }

  /** Reduces every dimension of x that is shorter in y to that length, neighbours together. */
  Value reduce(Value y, Reduction op, Value x) {
    CudnnDescriptor kind = own(CUDNN_BACKEND_REDUCTION_DESCRIPTOR).code(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, Type.F32.code)
        .code(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, op.code).finish();
    add(own(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR).descriptors(CUDNN_ATTR_OPERATION_REDUCTION_DESC, kind)
        .descriptors(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x.descriptor()).descriptors(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y.descriptor()));
    return y;
  }

  /** The same elements under another shape, such as the transposed one, and of y's type. */
  Value reshape(Value y, Value x) {
    add(own(CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR).descriptors(CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x.descriptor())
        .descriptors(CUDNN_ATTR_OPERATION_RESHAPE_YDESC, y.descriptor()));
    return y;
  }

  private void add(CudnnDescriptor operation) {
    operations.add(operation.finish());
  }

  private CudnnDescriptor own(int type) {
    CudnnDescriptor descriptor = new CudnnDescriptor(type);
    owned.add(descriptor);
    return descriptor;
  }

  // ---- plans ----

  /**
   * The first plan that works of those that cuDNN suggests, best first. It belongs to this graph.
   *
   * @throws BackendException with cuDNN's reason if there is none
   */
  CudnnPlan plan(CudnnTarget target) {
    CudnnDescriptor graph = own(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR)
        .descriptors(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations.toArray(CudnnDescriptor[]::new));
    target.describeTo(Stage.GRAPH, graph);
    graph.finish();
    String reason = "it suggests nothing";
    for (CudnnDescriptor configuration : suggestions(graph, target)) {
      CudnnDescriptor plan = own(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR).descriptors(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
      target.describeTo(Stage.PLAN, plan);
      int status = plan.tryToFinish();
      if (status == CUDNN_STATUS_SUCCESS) {
        return new CudnnPlan(plan, constants);
      }
      reason = CudnnDescriptor.reason(status);
    }
    throw new BackendException("cuDNN has no kernel for this: " + reason);
  }

  private List<CudnnDescriptor> suggestions(CudnnDescriptor graph, CudnnTarget target) {
    CudnnDescriptor heuristics = own(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR).descriptors(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
        .code(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, CUDNN_HEUR_MODE_A);
    target.describeTo(Stage.HEURISTICS, heuristics);
    int status = heuristics.tryToFinish();
    if (status != CUDNN_STATUS_SUCCESS) {
      throw new BackendException("cuDNN has no kernel for this: " + CudnnDescriptor.reason(status));
    }
    CudnnDescriptor[] configurations = new CudnnDescriptor[heuristics.get(CUDNN_ATTR_ENGINEHEUR_RESULTS)];
    Arrays.setAll(configurations, i -> own(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
    int count = configurations.length == 0 ? 0 : heuristics.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, configurations);
    return Arrays.asList(configurations).subList(0, Math.min(count, configurations.length));
  }

  @Override
  public void close() {
    for (int i = owned.size() - 1; i >= 0; i--) {
      owned.get(i).close();
    }
    constants.values().forEach(FloatPointer::close);
  }
}
