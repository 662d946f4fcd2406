package io.github.grpo4j.config;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.yaml.snakeyaml.LoaderOptions;

/**
 * YAML text to {@link YamlNode}s. Only plain data is understood: tags could name types to build, and anchors could make a small file
 * huge, so both are refused, and so is deep nesting. Values stay text; their options say what they are.
 */
final class YamlParser {
  private static final int LARGEST_FILE = 1_000_000;
  private static final int DEEPEST_NESTING = 10;
  private static final YAMLFactory YAML = YAMLFactory.builder().loaderOptions(limits())
      .enable(YAMLParser.Feature.EMPTY_STRING_AS_NULL).enable(YAMLParser.Feature.PARSE_BOOLEAN_LIKE_WORDS_AS_STRINGS)
      .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(DEEPEST_NESTING).build()).build();

  private YamlParser() {}

  private static LoaderOptions limits() {
    LoaderOptions limits = new LoaderOptions();
    limits.setCodePointLimit(LARGEST_FILE);
    limits.setNestingDepthLimit(DEEPEST_NESTING);
    limits.setMaxAliasesForCollections(0);
    return limits;
  }

  /**
   * Reads a whole file.
   *
   * @param name what messages call it
   * @return empty if nothing but comments stands in it
   */
  static Optional<YamlNode> parseFile(String text, String name) {
    try (YAMLParser parser = YAML.createParser(text)) {
      if (parser.nextToken() == null) {
        return Optional.empty();
      }
      YamlNode root = node(parser, name);
      if (parser.nextToken() != null) {
        throw new ConfigException(place(parser, name) + ": a second document begins; a configuration is one document");
      }
      return Optional.of(root);
    } catch (JsonProcessingException e) {
      String line = e.getLocation() == null ? "" : ":" + e.getLocation().getLineNr();
      throw new ConfigException(name + line + ": not valid YAML: " + firstLine(e.getOriginalMessage()));
    } catch (IOException e) {
      throw new ConfigException(name + ": not readable as YAML: " + firstLine(e.getMessage()));
    }
  }

  /**
   * Reads the value of an assignment.
   *
   * @param place of everything in it
   * @return empty if there is none
   */
  static Optional<YamlNode> parseValue(String text, String place) {
    try (YAMLParser parser = YAML.createParser(text)) {
      if (parser.nextToken() == null) {
        return Optional.empty();
      }
      YamlNode value = node(parser, null, place);
      if (parser.nextToken() != null) {
        throw new ConfigException(place + ": the value is more than one");
      }
      return Optional.of(value);
    } catch (IOException e) {
      throw new ConfigException(place + ": the value is not valid YAML: " + firstLine(e.getMessage()));
    }
  }

  private static YamlNode node(YAMLParser parser, String file) throws IOException {
    return node(parser, file, place(parser, file));
  }

  /** @param file null: everything stands at {@code place} */
  private static YamlNode node(YAMLParser parser, String file, String place) throws IOException {
    if (parser.getTypeId() != null || parser.getObjectId() != null || parser.isCurrentAlias()) {
      throw new ConfigException(place + ": tags, anchors and aliases of YAML are not allowed here");
    }
    if (parser.currentToken() == JsonToken.START_ARRAY) {
      List<YamlNode> items = new ArrayList<>();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        items.add(node(parser, file, file == null ? place : place(parser, file)));
      }
      return new YamlNode.Items(items, place);
    }
    if (parser.currentToken() == JsonToken.START_OBJECT) {
      List<YamlNode.Entry> entries = new ArrayList<>();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String key = parser.currentName();
        String keyPlace = file == null ? place : place(parser, file);
        parser.nextToken();
        entries.add(new YamlNode.Entry(key, node(parser, file, keyPlace), keyPlace));
      }
      return new YamlNode.Entries(entries, place);
    }
    return new YamlNode.Scalar(parser.currentToken(), parser.getText(), place);
  }

  private static String place(JsonParser parser, String file) {
    return file + ":" + parser.currentTokenLocation().getLineNr();
  }

  private static String firstLine(String message) {
    return message == null ? "no detail is known" : message.lines().findFirst().orElse("").strip();
  }
}
