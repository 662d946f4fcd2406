package io.github.grpo4j.data;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Finds and reads question/answer files in GSM8K's form.
 *
 * <p>A path may be a {@code .jsonl} or {@code .parquet} file, which then is the whole data set, or a directory. In a directory
 * the first of these that exists is read, for {@code config} "main" and {@code split} "train":
 *
 * <ol>
 *   <li>{@code main/train.parquet}, then the shards {@code main/train-*.parquet} in name order (Hugging Face's layout)
 *   <li>{@code main/train.jsonl}
 *   <li>the same three without {@code main/}
 * </ol>
 */
public final class DatasetReader {
  private DatasetReader() {}

  /**
   * Reads a file or one split of a directory.
   *
   * @param path file or directory
   * @param config sub-directory of a directory, GSM8K has "main" and "socratic"
   * @param split "train", "test", "validation", …; ignored when the path is a file
   * @throws DataException if nothing is found, a row is malformed, or there is no row
   */
  public static Dataset read(Path path, String config, String split) {
    if (Files.isRegularFile(path)) {
      return read(path.toString(), List.of(path));
    }
    if (!Files.isDirectory(path)) {
      throw new DataException("The data set " + path + " does not exist.");
    }
    List<String> tried = new ArrayList<>();
    for (Path directory : List.of(path.resolve(plainName(config, "config")), path)) {
      List<Path> files = find(directory, plainName(split, "split"), tried);
      if (!files.isEmpty()) {
        return read(directory.resolve(split).toString(), files);
      }
    }
    throw new DataException("No split \"" + split + "\" in " + path + ": looked for " + String.join(", ", tried) + ".");
  }

  /** Reads one file. */
  public static Dataset read(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new DataException("The data file " + file + " does not exist or is not a file.");
    }
    return read(file.toString(), List.of(file));
  }

  private static Dataset read(String name, List<Path> files) {
    List<Problem> problems = new ArrayList<>();
    for (Path file : files) {
      for (QuestionAnswer row : rows(file)) {
        problems.add(row.toProblem(problems.size()));
      }
    }
    return new Dataset(name, problems);
  }

  private static List<QuestionAnswer> rows(Path file) {
    String name = file.getFileName().toString();
    if (name.endsWith(".jsonl")) {
      return JsonLines.read(file);
    }
    throw new DataException("Cannot tell the format of " + file + ": the name must end in .jsonl or .parquet.");
  }

  private static List<Path> find(Path directory, String split, List<String> tried) {
    Path parquet = directory.resolve(split + ".parquet");
    tried.add(parquet.toString());
    if (Files.isRegularFile(parquet)) {
      return List.of(parquet);
    }
    tried.add(directory.resolve(split + "-*.parquet").toString());
    List<Path> shards = shards(directory, split);
    if (!shards.isEmpty()) {
      return shards;
    }
    Path jsonl = directory.resolve(split + ".jsonl");
    tried.add(jsonl.toString());
    return Files.isRegularFile(jsonl) ? List.of(jsonl) : List.of();
  }

  private static List<Path> shards(Path directory, String split) {
    List<Path> shards = new ArrayList<>();
    if (Files.isDirectory(directory)) {
      try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, split + "-*.parquet")) {
        entries.forEach(shards::add);
      } catch (IOException e) {
        throw new DataException("Cannot list " + directory + ": " + e, e);
      }
    }
    Collections.sort(shards);
    return shards;
  }

  /** A config or split names a file inside the data set, so it must not lead out of it, nor be a glob pattern. */
  private static String plainName(String name, String option) {
    if (!name.matches("[A-Za-z0-9_.-]+") || name.startsWith(".")) {
      throw new DataException("data." + option + " is \"" + name + "\"; it must be a plain name such as main or train.");
    }
    return name;
  }
}
