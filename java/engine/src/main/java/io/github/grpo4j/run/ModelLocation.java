package io.github.grpo4j.run;

import io.github.grpo4j.model.BuiltinModels;
import io.github.grpo4j.model.ModelConfig;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Where the model is that a user names: a model directory; a run directory, whose result it is, or else the model of its newest
 * checkpoint; a checkpoint; or {@code builtin:NAME}.
 *
 * @param model the model directory
 * @param checkpoint the checkpoint that it is part of
 * @param config how the model is asked and scored: the configuration of the run that made it, if that lies beside it
 */
public record ModelLocation(Path model, Optional<Path> checkpoint, Optional<Path> config) {
  private static final String CHECKPOINTS = "checkpoints";

  /** Does not look into the model: reading it says what is wrong with it. */
  public static ModelLocation find(String name) {
    if (BuiltinModels.isBuiltin(name)) {
      Path directory = BuiltinModels.resolve(name);
      return new ModelLocation(directory, Optional.empty(), Optional.of(directory.resolve(RunDirectory.CONFIG)));
    }
    Path path = pathOf(name);
    if (isModel(path)) {
      Path parent = path.toAbsolutePath().normalize().getParent();
      boolean inRun = parent != null && path.toAbsolutePath().normalize().endsWith(RunDirectory.MODEL);
      return inRun ? of(path, parent) : new ModelLocation(path, Optional.empty(), Optional.empty());
    }
    if (isModel(path.resolve(RunDirectory.MODEL))) {
      return of(path.resolve(RunDirectory.MODEL), path);
    }
    if (Files.isDirectory(path.resolve(CHECKPOINTS))) {
      Optional<CheckpointStore.Found> newest = new CheckpointStore(path.resolve(CHECKPOINTS), 0).newest();
      if (newest.isPresent()) {
        return of(newest.get().folder().resolve(RunDirectory.MODEL), newest.get().folder());
      }
    }
    return new ModelLocation(path, Optional.empty(), Optional.empty());
  }

  private static Path pathOf(String name) {
    try {
      return Path.of(name);
    } catch (InvalidPathException e) {
      throw new IllegalArgumentException("model.path '" + name + "' is not a path: " + e.getReason(), e);
    }
  }

  private static ModelLocation of(Path model, Path folder) {
    Path config = folder.resolve(RunDirectory.CONFIG);
    return new ModelLocation(model, CheckpointStore.isCheckpoint(folder) ? Optional.of(folder) : Optional.empty(),
        Files.isRegularFile(config) ? Optional.of(config) : Optional.empty());
  }

  private static boolean isModel(Path path) {
    return Files.isRegularFile(path.resolve(ModelConfig.FILE));
  }
}
