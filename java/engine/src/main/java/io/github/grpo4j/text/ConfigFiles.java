package io.github.grpo4j.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Reads the small JSON files of a model directory. */
final class ConfigFiles {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final long LARGEST_FILE = 512L << 20;

  private ConfigFiles() {}

  /** A file's JSON object; an empty object where the file does not exist. */
  static JsonNode readObject(Path file) {
    if (!Files.exists(file)) {
      return JSON.createObjectNode();
    }
    try {
      JsonNode root = JSON.readTree(readText(file));
      if (!root.isObject()) {
        throw new TextException(file + ": expected a JSON object, found " + root.getNodeType().name().toLowerCase() + ".");
      }
      return root;
    } catch (JsonProcessingException e) {
      throw new TextException(
          file + ":" + e.getLocation().getLineNr() + ":" + e.getLocation().getColumnNr() + ": not JSON: " + e.getOriginalMessage(), e);
    }
  }

  /** A whole file as UTF-8 text. */
  static String readText(Path file) {
    try {
      long size = Files.size(file);
      if (size > LARGEST_FILE) {
        throw new TextException(file + " has " + size + " bytes; more than " + LARGEST_FILE + " are not read.");
      }
      return Files.readString(file);
    } catch (CharacterCodingException e) {
      throw new TextException(file + " is not UTF-8 text.", e);
    } catch (IOException e) {
      throw new TextException("Cannot read " + file + ": " + e, e);
    }
  }

  /** The text of a token in tokenizer_config.json, which is a string or an object with "content"; null if there is none. */
  static String tokenText(JsonNode config, String key) {
    JsonNode token = config.path(key);
    return token.isObject() ? token.path("content").textValue() : token.textValue();
  }
}
