package io.github.grpo4j.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.data.DataException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** JSON Lines in and out: one object a line. */
final class JsonLines {
  static final ObjectMapper JSON = new ObjectMapper();

  /** One object of a file and where it stood, for messages. */
  record Line(String where, ObjectNode object) {
    int[] ids(String key) {
      JsonNode node = object.path(key);
      if (!node.isArray()) {
        throw new DataException(where + ": " + key + " must be an array of token ids, but is " + node);
      }
      int[] ids = new int[node.size()];
      for (int i = 0; i < ids.length; i++) {
        if (!node.get(i).canConvertToInt() || !node.get(i).isIntegralNumber()) {
          throw new DataException(where + ": " + key + "[" + i + "] is " + node.get(i) + ", not a token id");
        }
        ids[i] = node.get(i).asInt();
      }
      return ids;
    }

    String text(String key) {
      JsonNode node = object.path(key);
      if (!node.isTextual()) {
        throw new DataException(where + ": " + key + " must be a text, but is " + node);
      }
      return node.asText();
    }
  }

  private JsonLines() {}

  /** All objects of a file, or of standard input for {@code -}; blank lines are passed over. */
  static List<Line> read(Path file) throws IOException {
    List<Line> lines = new ArrayList<>();
    List<String> texts = readLines(file);
    for (int i = 0; i < texts.size(); i++) {
      String where = file + ":" + (i + 1);
      if (!texts.get(i).isBlank()) {
        lines.add(new Line(where, parse(where, texts.get(i))));
      }
    }
    if (lines.isEmpty()) {
      throw new DataException(file + " holds no lines");
    }
    return lines;
  }

  static List<String> readLines(Path file) throws IOException {
    if (file.toString().equals("-")) {
      try (BufferedReader reader = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
        return reader.lines().toList();
      }
    }
    if (!Files.isRegularFile(file)) {
      throw new DataException(file + " does not exist");
    }
    return Files.readAllLines(file, StandardCharsets.UTF_8);
  }

  static ObjectNode parse(String where, String text) {
    try {
      if (JSON.readTree(text) instanceof ObjectNode object) {
        return object;
      }
      throw new DataException(where + " is not a JSON object");
    } catch (JsonProcessingException e) {
      throw new DataException(where + " is not valid JSON: " + e.getOriginalMessage(), e);
    }
  }

  static void print(PrintStream out, ObjectNode object) {
    out.println(object);
  }

  /** A measured figure with the digits that mean something. */
  static double measured(double value) {
    return new BigDecimal(value).round(new MathContext(5)).doubleValue();
  }

  static ArrayNode array(int[] values) {
    ArrayNode array = JSON.createArrayNode();
    for (int value : values) {
      array.add(value);
    }
    return array;
  }

  static ArrayNode array(float[] values) {
    ArrayNode array = JSON.createArrayNode();
    for (float value : values) {
      array.add(value);
    }
    return array;
  }
}
