package io.github.grpo4j.run;

import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.model.ModelDirectory;
import io.github.grpo4j.model.Parameter.Slice;
import io.github.grpo4j.model.ParameterShape;
import io.github.grpo4j.model.safetensors.StoredType;
import io.github.grpo4j.model.safetensors.TensorInfo;
import io.github.grpo4j.text.ChatTemplate;
import io.github.grpo4j.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;

/**
 * What a model or checkpoint directory holds, found out without loading the weights.
 *
 * @param tensors in the weight files
 * @param bytes of those tensors, by the type they are stored as
 * @param weightsProblem a sentence on the first tensor that the architecture needs and the files lack or have in another
 *     shape; empty if the model would load
 * @param tokenizer empty where there is no tokenizer.json
 * @param checkpoint empty for a model by itself
 */
public record Inspection(
    Path model,
    ModelConfig config,
    int tensors,
    Map<StoredType, Long> bytes,
    Optional<String> weightsProblem,
    Optional<TokenizerFacts> tokenizer,
    Optional<CheckpointFacts> checkpoint) {
  /**
   * @param vocabUsed ids from here on are rows of the head that no token stands for
   * @param eos what training data is closed with
   * @param stop ids that end a completion
   */
  public record TokenizerFacts(int vocabUsed, OptionalInt eos, List<Integer> stop, boolean chatTemplate) {}

  /**
   * @param damage a sentence on what does not match the manifest, which leaves the counts at 0; empty if everything does
   * @param skippedUpdates optimizer steps left out because the gradient was not finite
   */
  public record CheckpointFacts(
      Path folder, int step, Optional<String> damage, long optimizerSteps, long numTokens, long skippedUpdates) {}

  /** Looks into what {@link ModelLocation} finds under a name. */
  public static Inspection of(String name) {
    ModelLocation location = ModelLocation.find(name);
    Path model = location.model();
    ModelConfig config = ModelConfig.read(model);
    Map<String, TensorInfo> tensors = ModelDirectory.tensors(model);
    Map<StoredType, Long> bytes = new TreeMap<>();
    tensors.values().forEach(tensor -> bytes.merge(tensor.type(), tensor.bytes(), Long::sum));
    return new Inspection(model, config, tensors.size(), bytes, problem(config, tensors), tokenizer(model), location.checkpoint().map(Inspection::facts));
  }

  private static Optional<String> problem(ModelConfig config, Map<String, TensorInfo> tensors) {
    for (ParameterShape shape : ParameterShape.of(config)) {
      for (Slice slice : shape.slices()) {
        TensorInfo found = tensors.get(slice.fileName());
        if (found == null) {
          return Optional.of("tensor " + slice.fileName() + " is missing");
        }
        if (!Arrays.equals(found.shape(), shape.shapeOf(slice))) {
          return Optional.of("tensor " + slice.fileName() + " has shape " + Arrays.toString(found.shape()) + "; config.json asks for "
              + Arrays.toString(shape.shapeOf(slice)));
        }
      }
    }
    return Optional.empty();
  }

  private static Optional<TokenizerFacts> tokenizer(Path model) {
    if (!Files.exists(model.resolve("tokenizer.json"))) {
      return Optional.empty();
    }
    try (Tokenizer tokenizer = Tokenizer.load(model)) {
      return Optional.of(new TokenizerFacts(tokenizer.vocabUsed(), tokenizer.special().eos(), tokenizer.special().stop(),
          ChatTemplate.find(model).isPresent()));
    }
  }

  private static CheckpointFacts facts(Path folder) {
    Optional<String> damage = CheckpointStore.damageOf(folder);
    if (damage.isPresent()) {
      // Its own account of itself may be what is damaged.
      return new CheckpointFacts(folder, CheckpointStore.stepOf(folder), damage, 0, 0, 0);
    }
    RunState state = RunState.read(folder);
    return new CheckpointFacts(folder, state.step(), damage, state.optimizerSteps(), state.numTokens(), state.skippedUpdates());
  }
}
