package io.github.grpo4j.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.backend.Layout;
import io.github.grpo4j.backend.Tensor;
import io.github.grpo4j.model.Parameter.Slice;
import io.github.grpo4j.model.safetensors.ModelFormatException;
import io.github.grpo4j.model.safetensors.SafetensorsFile;
import io.github.grpo4j.model.safetensors.SafetensorsWriter;
import io.github.grpo4j.model.safetensors.StoredType;
import io.github.grpo4j.model.safetensors.TensorInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * Model weights as a Hugging Face directory: {@code config.json} and {@code model.safetensors}, or shards with an index. What
 * {@link #save} writes, transformers loads.
 */
public final class ModelDirectory {
  public static final String WEIGHTS = "model.safetensors";
  public static final String INDEX = "model.safetensors.index.json";

  /** Files that belong to a model beside its weights; saved models get a copy. */
  private static final List<String> COMPANIONS = List.of("generation_config.json", "tokenizer.json", "tokenizer_config.json",
      "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja");

  /** Bytes of a tensor that cross the bus at once. */
  private static final int PIECE_BYTES = 8 << 20;

  /** No separators and no leading dot: a shard lies beside its index. */
  private static final Pattern SHARD_NAME = Pattern.compile("[A-Za-z0-9_-][A-Za-z0-9_.-]*\\.safetensors");

  private static final ObjectMapper JSON = new ObjectMapper();

  private ModelDirectory() {}

  /**
   * Loads all weights, converted to {@code dtype}.
   *
   * @throws ModelFormatException naming file and cause: a tensor that is missing, of a wrong shape or type, a damaged file
   */
  public static ModelWeights load(Backend backend, Path directory, DType dtype) {
    ModelConfig config = ModelConfig.read(directory);
    checkSize(config, directory, filesOfTensors(directory));
    ModelWeights weights = new ModelWeights(backend, config, dtype);
    try {
      loadInto(backend, directory, weights);
      return weights;
    } catch (RuntimeException e) {
      weights.close();
      throw e;
    }
  }

  /** Loads all weights of a model that has the same shape as {@code weights}. */
  public static void loadInto(Backend backend, Path directory, ModelWeights weights) {
    Map<String, Path> files = filesOfTensors(directory);
    Map<Path, SafetensorsFile> open = new HashMap<>();
    try (Tensor staging = backend.allocate(DType.F32, Layout.ROWS, PIECE_BYTES / DType.F32.bytes())) {
      for (Path file : new TreeSet<>(files.values())) {
        open.put(file, SafetensorsFile.open(file));
      }
      for (Parameter parameter : weights.parameters()) {
        for (Slice slice : parameter.slices()) {
          Path file = files.get(slice.fileName());
          if (file == null) {
            throw new ModelFormatException(directory + " has no tensor " + slice.fileName() + ", which a "
                + weights.config().family().architecture() + " needs");
          }
          loadSlice(backend, open.get(file), parameter, slice, staging);
        }
      }
    } catch (IOException e) {
      throw new ModelFormatException("the weights of " + directory + " could not be read: " + e.getMessage(), e);
    } finally {
      open.values().forEach(ModelDirectory::closeQuietly);
    }
  }

  /**
   * Whether weights of about the size that config.json asks for are there at all: a quick look before memory is planned on its
   * word.
   *
   * @throws ModelFormatException naming file and cause
   */
  public static void checkFiles(Path directory) {
    checkSize(ModelConfig.read(directory), directory, filesOfTensors(directory));
  }

  /** All tensors that the weight files of a directory declare, by name; headers are checked, weights are not read. */
  public static Map<String, TensorInfo> tensors(Path directory) {
    Map<String, TensorInfo> tensors = new TreeMap<>();
    for (Path path : new TreeSet<>(filesOfTensors(directory).values())) {
      try (SafetensorsFile file = SafetensorsFile.open(path)) {
        tensors.putAll(file.tensors());
      } catch (IOException e) {
        throw new ModelFormatException(path + " could not be read: " + e.getMessage(), e);
      }
    }
    return tensors;
  }

  /** Which file holds each tensor. Shard names come from an untrusted file: they must be plain names in this directory. */
  private static Map<String, Path> filesOfTensors(Path directory) {
    Map<String, Path> files = new HashMap<>();
    Path single = directory.resolve(WEIGHTS);
    Path index = directory.resolve(INDEX);
    try {
      if (Files.isRegularFile(single)) {
        try (SafetensorsFile file = SafetensorsFile.open(single)) {
          file.tensors().keySet().forEach(name -> files.put(name, single));
        }
      } else if (Files.isRegularFile(index)) {
        JsonNode map = readIndex(index).path("weight_map");
        if (!map.isObject()) {
          throw new ModelFormatException(index + " has no weight_map");
        }
        map.fields().forEachRemaining(entry -> files.put(entry.getKey(), shard(directory, index, entry.getValue().asText())));
      } else {
        throw new ModelFormatException(directory + " has neither " + WEIGHTS + " nor " + INDEX
            + "; weights in other formats (.bin, .pt) are not read because loading them can run code");
      }
    } catch (IOException e) {
      throw new ModelFormatException("the weights of " + directory + " could not be read: " + e.getMessage(), e);
    }
    return files;
  }

  /**
   * Before memory is taken on the word of config.json. A weight takes at least two bytes; asking for four times as much is no
   * single tensor that is missing, which would be named later.
   */
  private static void checkSize(ModelConfig config, Path directory, Map<String, Path> files) {
    try {
      long bytes = 0;
      for (Path file : new TreeSet<>(files.values())) {
        bytes += Files.size(file);
      }
      if (config.parameterCount() > 2 * bytes) {
        throw new ModelFormatException(String.format("%s asks for %,d parameters, but the weights beside it are %,d bytes",
            directory.resolve(ModelConfig.FILE), config.parameterCount(), bytes));
      }
    } catch (IOException e) {
      throw new ModelFormatException("the weights of " + directory + " could not be read: " + e.getMessage(), e);
    }
  }

  private static JsonNode readIndex(Path index) throws IOException {
    try {
      return JSON.readTree(index.toFile());
    } catch (JsonProcessingException e) {
      throw new ModelFormatException(index + " is not readable JSON: " + e.getOriginalMessage(), e);
    }
  }

  private static Path shard(Path directory, Path index, String name) {
    if (!SHARD_NAME.matcher(name).matches()) {
      throw new ModelFormatException(index + " names the shard '" + name + "', which is not a plain .safetensors file name");
    }
    Path path = directory.resolve(name);
    if (!Files.isRegularFile(path)) {
      throw new ModelFormatException(index + " names the shard " + name + ", which is not in " + directory);
    }
    return path;
  }

  private static void loadSlice(Backend backend, SafetensorsFile file, Parameter parameter, Slice slice, Tensor staging) throws IOException {
    TensorInfo info = file.info(slice.fileName());
    long[] expected = parameter.shapeOf(slice);
    if (!Arrays.equals(info.shape(), expected)) {
      throw new ModelFormatException("tensor " + slice.fileName() + " of " + file.path() + " has shape " + Arrays.toString(info.shape())
          + "; config.json asks for " + Arrays.toString(expected));
    }
    DType stored = storedDType(file, info);
    long columns = expected.length == 1 ? 1 : expected[1];
    long rowBytes = columns * stored.bytes();
    long rowsPerPiece = Math.max(1, PIECE_BYTES / rowBytes);
    if (rowBytes > PIECE_BYTES) {
      throw new ModelFormatException("tensor " + slice.fileName() + " of " + file.path() + " has rows of " + rowBytes + " bytes");
    }
    for (long row = 0; row < slice.rows(); row += rowsPerPiece) {
      long rows = Math.min(rowsPerPiece, slice.rows() - row);
      ByteBuffer bytes = file.slice(slice.fileName(), row * rowBytes, Math.toIntExact(rows * rowBytes));
      backend.upload(staging, 0, bytes);
      Tensor piece = staging.viewAs(stored, rows, columns);
      if (parameter.isMatrix()) {
        backend.packRows(parameter.weight(), slice.row0() + row, piece);
      } else {
        backend.cast(parameter.weight().rows(slice.row0() + row, rows), piece.reshape(rows));
      }
    }
  }

  private static DType storedDType(SafetensorsFile file, TensorInfo info) {
    return switch (info.type()) {
      case F32 -> DType.F32;
      case BF16 -> DType.BF16;
      case F16 -> DType.F16;
      default -> throw new ModelFormatException("tensor " + info.name() + " of " + file.path() + " is stored as " + info.type()
          + "; weights must be F32, BF16 or F16");
    };
  }

  /**
   * Writes weights and config.json to {@code directory}, which must exist, and copies tokenizer and generation files from
   * {@code source} (may be null). Files are forced to the disk; making the whole appear at once is the caller's business.
   */
  public static void save(Backend backend, ModelWeights weights, Path directory, Path source) throws IOException {
    ObjectNode json = weights.config().json().deepCopy();
    String dtype = nameOf(weights.dtype());
    // Transformers 5 writes "dtype", published checkpoints and older readers say "torch_dtype".
    if (json.has("torch_dtype") || !json.has("dtype")) {
      json.put("torch_dtype", dtype);
    }
    if (json.has("dtype")) {
      json.put("dtype", dtype);
    }
    Files.writeString(directory.resolve(ModelConfig.FILE), JSON.writerWithDefaultPrettyPrinter().writeValueAsString(json) + "\n");
    if (source != null) {
      for (String name : COMPANIONS) {
        if (Files.isRegularFile(source.resolve(name))) {
          Files.copy(source.resolve(name), directory.resolve(name), StandardCopyOption.REPLACE_EXISTING);
        }
      }
    }
    saveWeights(backend, weights, directory.resolve(WEIGHTS));
  }

  /** As transformers calls it. */
  private static String nameOf(DType dtype) {
    return switch (dtype) {
      case F32 -> "float32";
      case BF16 -> "bfloat16";
      case F16 -> "float16";
      default -> throw new IllegalArgumentException("weights are not stored as " + dtype);
    };
  }

  private static void saveWeights(Backend backend, ModelWeights weights, Path file) throws IOException {
    StoredType type = StoredType.valueOf(weights.dtype().name());
    Map<String, Parameter> owners = new HashMap<>();
    Map<String, Slice> slices = new HashMap<>();
    List<TensorInfo> infos = new ArrayList<>();
    for (Parameter parameter : weights.parameters()) {
      for (Slice slice : parameter.slices()) {
        infos.add(TensorInfo.of(slice.fileName(), type, parameter.shapeOf(slice)));
        owners.put(slice.fileName(), parameter);
        slices.put(slice.fileName(), slice);
      }
    }
    ByteBuffer host = ByteBuffer.allocateDirect(PIECE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, infos, SafetensorsWriter.PYTORCH);
        Tensor staging = backend.allocate(weights.dtype(), Layout.ROWS, PIECE_BYTES / weights.dtype().bytes())) {
      for (TensorInfo info : writer.tensors()) {
        saveSlice(backend, owners.get(info.name()), slices.get(info.name()), staging, host, writer);
      }
      writer.finish();
    }
  }

  private static void saveSlice(Backend backend, Parameter parameter, Slice slice, Tensor staging, ByteBuffer host, SafetensorsWriter writer)
      throws IOException {
    Tensor weight = parameter.weight();
    long columns = parameter.isMatrix() ? weight.dim(1) : 1;
    long rowsPerPiece = staging.elements() / columns;
    for (long row = 0; row < slice.rows(); row += rowsPerPiece) {
      long rows = Math.min(rowsPerPiece, slice.rows() - row);
      Tensor piece = staging.viewAs(weight.dtype(), rows, columns);
      if (parameter.isMatrix()) {
        backend.unpackRows(piece, weight, slice.row0() + row);
      } else {
        backend.copy(piece.reshape(rows), weight.rows(slice.row0() + row, rows));
      }
      host.clear().limit(Math.toIntExact(piece.bytes()));
      backend.download(piece, 0, host);
      writer.write(host.flip());
    }
  }

  private static void closeQuietly(SafetensorsFile file) {
    try {
      file.close();
    } catch (IOException e) {
      // A file that was only read has nothing left to lose.
      return;
    }
  }
}
