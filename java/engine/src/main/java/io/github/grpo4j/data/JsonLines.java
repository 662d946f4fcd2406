package io.github.grpo4j.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reads {@code {"question": …, "answer": …}} objects, one a line; other keys are ignored, blank lines skipped. */
final class JsonLines {
  private static final ObjectMapper JSON = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  private JsonLines() {}

  static List<QuestionAnswer> read(Path file) {
    List<QuestionAnswer> rows = new ArrayList<>();
    int number = 0;
    try (BufferedReader lines = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        number++;
        if (!line.isBlank()) {
          rows.add(row(line, file + ":" + number));
        }
      }
    } catch (CharacterCodingException e) {
      throw new DataException(file + ": the text after line " + number + " is not UTF-8.", e);
    } catch (IOException e) {
      throw new DataException("Cannot read " + file + ": " + e, e);
    }
    return rows;
  }

  private static QuestionAnswer row(String line, String place) {
    JsonNode node;
    try {
      node = JSON.readTree(line);
    } catch (JsonProcessingException e) {
      throw new DataException(place + ": not a JSON object: " + e.getOriginalMessage(), e);
    }
    if (!node.isObject()) {
      throw new DataException(place + ": expected a JSON object, found " + node.getNodeType().name().toLowerCase() + ".");
    }
    return new QuestionAnswer(text(node, "question", place), text(node, "answer", place), place);
  }

  private static String text(JsonNode row, String key, String place) {
    JsonNode value = row.get(key);
    if (value == null) {
      List<String> keys = new ArrayList<>();
      row.fieldNames().forEachRemaining(keys::add);
      throw new DataException(place + ": no key \"" + key + "\"; the line has " + keys + ".");
    }
    if (!value.isTextual()) {
      throw new DataException(place + ": \"" + key + "\" must be a string, found " + value.getNodeType().name().toLowerCase() + ".");
    }
    return value.textValue();
  }
}
