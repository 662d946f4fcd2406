package io.github.grpo4j.run;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.safetensors.ModelFormatException;
import io.github.grpo4j.model.safetensors.SafetensorsFile;
import io.github.grpo4j.model.safetensors.SafetensorsWriter;
import io.github.grpo4j.model.safetensors.StoredType;
import io.github.grpo4j.model.safetensors.TensorInfo;
import io.github.grpo4j.optim.AdamW;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * AdamW's state as a safetensors file: {@code NAME.m}, {@code NAME.v} and, where masters exist, {@code NAME.master}, F32 and
 * row-major, so that a run can be continued on another back end.
 */
final class OptimizerFile {
  private static final int PIECE_BYTES = 8 << 20;
  private static final String STEP_COUNT = "step_count";

  private OptimizerFile() {}

  static void save(Backend backend, AdamW optimizer, Path file) throws IOException {
    Map<String, Tensor> tensors = tensors(optimizer);
    List<TensorInfo> infos = new ArrayList<>();
    tensors.forEach((name, tensor) -> infos.add(TensorInfo.of(name, StoredType.F32, tensor.shape())));
    ByteBuffer host = hostPiece();
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, infos, Map.of(STEP_COUNT, Long.toString(optimizer.stepCount())));
        Tensor staging = backend.allocate(DType.F32, Layout.ROWS, PIECE_BYTES / DType.F32.bytes())) {
      for (TensorInfo info : writer.tensors()) {
        Tensor tensor = tensors.get(info.name());
        forEachPiece(tensor, staging, (piece, row) -> {
          if (tensor.layout() == Layout.PACKED) {
            backend.unpackRows(piece, tensor, row);
          } else {
            backend.copy(piece, tensor.rows(row, piece.rows()).reshape(piece.shape()));
          }
          host.clear().limit(Math.toIntExact(piece.bytes()));
          backend.download(piece, 0, host);
          writer.write(host.flip());
        });
      }
      writer.finish();
    }
  }

  static void load(Backend backend, AdamW optimizer, Path path) throws IOException {
    ByteBuffer host = hostPiece();
    try (SafetensorsFile file = SafetensorsFile.open(path);
        Tensor staging = backend.allocate(DType.F32, Layout.ROWS, PIECE_BYTES / DType.F32.bytes())) {
      long stepCount = stepCount(file);
      Map<String, Tensor> tensors = tensors(optimizer);
      if (!file.tensors().keySet().equals(tensors.keySet())) {
        throw new ModelFormatException(path + " is the state of another optimizer: " + difference(tensors.keySet(), file)
            + "; resume with the model and the weight type (model.dtype) that the run was started with");
      }
      for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
        String name = entry.getKey();
        Tensor tensor = entry.getValue();
        TensorInfo info = file.info(name);
        if (info.type() != StoredType.F32 || !Arrays.equals(info.shape(), tensor.shape())) {
          throw new ModelFormatException("tensor " + name + " of " + path + " is " + info.type() + Arrays.toString(info.shape())
              + "; the model's optimizer needs " + tensor);
        }
        long rowBytes = tensor.columns() * Float.BYTES;
        forEachPiece(tensor, staging, (piece, row) -> {
          file.read(name, row * rowBytes, Math.toIntExact(piece.bytes()), host);
          backend.upload(piece, 0, host);
          if (tensor.layout() == Layout.PACKED) {
            backend.packRows(tensor, row, piece);
          } else {
            backend.copy(tensor.rows(row, piece.rows()).reshape(piece.shape()), piece);
          }
        });
      }
      optimizer.restoreStepCount(stepCount);
      optimizer.weightsFromMasters();
    }
  }

  private static long stepCount(SafetensorsFile file) {
    String count = file.metadata().get(STEP_COUNT);
    if (count == null || !count.matches("\\d{1,18}")) {
      throw new ModelFormatException(file.path() + " says " + STEP_COUNT + " = " + count + "; it must be the number of steps taken");
    }
    return Long.parseLong(count);
  }

  /** Names a tensor that only one of the two has. */
  private static String difference(Set<String> expected, SafetensorsFile file) {
    for (String name : expected) {
      if (!file.contains(name)) {
        return "it has no " + name;
      }
    }
    return file.tensors().keySet().stream().filter(name -> !expected.contains(name)).findFirst()
        .map(name -> "it has a " + name + " that is not needed here").orElseThrow();
  }

  private static Map<String, Tensor> tensors(AdamW optimizer) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (AdamW.State state : optimizer.states()) {
      String name = state.parameter().name();
      tensors.put(name + ".m", state.m());
      tensors.put(name + ".v", state.v());
      if (state.hasOwnMaster()) {
        tensors.put(name + ".master", state.master());
      }
    }
    return tensors;
  }

  private static ByteBuffer hostPiece() {
    return ByteBuffer.allocateDirect(PIECE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
  }

  private interface PieceAction {
    void accept(Tensor piece, long row) throws IOException;
  }

  /** Goes through a tensor in row-major pieces {@code [rows, columns]} that fit the staging buffer. */
  private static void forEachPiece(Tensor tensor, Tensor staging, PieceAction action) throws IOException {
    long columns = tensor.columns();
    long rowsPerPiece = staging.elements() / columns;
    for (long row = 0; row < tensor.rows(); row += rowsPerPiece) {
      long rows = Math.min(rowsPerPiece, tensor.rows() - row);
      action.accept(staging.viewAs(DType.F32, rows, columns), row);
    }
  }
}
