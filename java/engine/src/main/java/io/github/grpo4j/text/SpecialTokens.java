package io.github.grpo4j.text;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/**
 * The ids that begin, end and pad a sequence, as the files beside a tokenizer.json declare them.
 *
 * <p>Precedence is that of Hugging Face: the tokens of tokenizer_config.json are what text is built with, the ids of
 * generation_config.json (else config.json) are where generation stops. Both count as ends here.
 *
 * @param bos begins a sequence; absent in Qwen models
 * @param eos ends a completion: what training data is closed with, and the first of {@code stop}; absent if no file names one
 * @param stop every id at which generation ends; empty if there is none
 * @param pad fills unused places in other software; never used as a sentinel here
 */
public record SpecialTokens(OptionalInt bos, OptionalInt eos, List<Integer> stop, OptionalInt pad) {
  public SpecialTokens {
    stop = List.copyOf(stop);
  }

  /** Whether generation ends at this id. */
  public boolean isStop(int id) {
    return stop.contains(id);
  }

  /** Reads the three files of a model directory, any of which may be missing. */
  static SpecialTokens read(Path directory, Vocabulary vocabulary) {
    Path tokenizerFile = directory.resolve("tokenizer_config.json");
    JsonNode tokenizer = ConfigFiles.readObject(tokenizerFile);
    Path generationFile = directory.resolve("generation_config.json");
    JsonNode generation = ConfigFiles.readObject(generationFile);
    Path modelFile = directory.resolve("config.json");
    JsonNode model = ConfigFiles.readObject(modelFile);

    String eosText = ConfigFiles.tokenText(tokenizer, "eos_token");
    if (eosText != null && !vocabulary.added().containsKey(eosText)) {
      throw new TextException(
          tokenizerFile + ": eos_token \"" + eosText + "\" is not among the added tokens of tokenizer.json: "
              + vocabulary.added().keySet() + ".");
    }
    Set<Integer> stop = new LinkedHashSet<>();
    if (eosText != null) {
      stop.add(vocabulary.added().get(eosText));
    }
    List<Integer> declared = ids(generation, "eos_token_id", generationFile, vocabulary);
    stop.addAll(declared.isEmpty() ? ids(model, "eos_token_id", modelFile, vocabulary) : declared);

    OptionalInt bos = first(tokenizer, "bos_token", vocabulary);
    OptionalInt pad = first(tokenizer, "pad_token", vocabulary);
    for (JsonNode config : List.of(generation, model)) {
      pad = pad.isPresent() ? pad : first(ids(config, "pad_token_id", directory, vocabulary));
    }
    // A tokenizer_config.json that says "bos_token": null means it: Qwen's config.json names a bos that is never used.
    if (bos.isEmpty() && tokenizer.isEmpty()) {
      bos = first(ids(model, "bos_token_id", modelFile, vocabulary));
    }
    return new SpecialTokens(bos, first(new ArrayList<>(stop)), new ArrayList<>(stop), pad);
  }

  private static OptionalInt first(JsonNode tokenizer, String key, Vocabulary vocabulary) {
    Map<String, Integer> added = vocabulary.added();
    String text = ConfigFiles.tokenText(tokenizer, key);
    return text != null && added.containsKey(text) ? OptionalInt.of(added.get(text)) : OptionalInt.empty();
  }

  private static OptionalInt first(List<Integer> ids) {
    return ids.isEmpty() ? OptionalInt.empty() : OptionalInt.of(ids.get(0));
  }

  /** A key that holds an id, a list of ids, null, or is missing. */
  private static List<Integer> ids(JsonNode config, String key, Path file, Vocabulary vocabulary) {
    JsonNode value = config.path(key);
    List<Integer> ids = new ArrayList<>();
    for (JsonNode id : value.isArray() ? value : List.of(value)) {
      if (id.isMissingNode() || id.isNull()) {
        continue;
      }
      if (!id.isInt() || id.intValue() < 0 || id.intValue() >= vocabulary.size()) {
        throw new TextException(
            file + ": " + key + " is " + value + "; it must hold ids from 0 to " + (vocabulary.size() - 1) + ", those of tokenizer.json.");
      }
      ids.add(id.intValue());
    }
    return ids;
  }
}
