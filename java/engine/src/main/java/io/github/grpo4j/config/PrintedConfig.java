package io.github.grpo4j.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Iterator;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/** A resolved configuration as YAML, one option a line, with or without a comment on where its value comes from. */
final class PrintedConfig {
  private static final Pattern PLAIN = Pattern.compile("[A-Za-z_/][A-Za-z0-9_/.:-]*[A-Za-z0-9_/]|[A-Za-z]");
  /** Words that YAML readers take for something else than text. */
  private static final Pattern OTHER = Pattern.compile("(?i)y|n|yes|no|on|off|true|false|null|nan|inf");
  private static final int COMMENT_COLUMN = 44;

  private final JsonNode tree;

  PrintedConfig(JsonNode tree) {
    this.tree = tree;
  }

  String yaml() {
    return print(null);
  }

  String annotated(Map<String, String> origins) {
    return print(origins);
  }

  private String print(Map<String, String> origins) {
    StringBuilder out = new StringBuilder();
    tree.fields().forEachRemaining(group -> {
      out.append(group.getKey()).append(":\n");
      group.getValue().fields().forEachRemaining(option -> {
        String name = group.getKey() + "." + option.getKey();
        if (option.getValue() instanceof ObjectNode choice) {
          out.append("  ").append(option.getKey()).append(":\n");
          choice.fields().forEachRemaining(component -> line(out, "    ", component, name + "." + component.getKey(), origins));
        } else {
          line(out, "  ", option, name, origins);
        }
      });
    });
    return out.toString();
  }

  private static void line(StringBuilder out, String indent, Map.Entry<String, JsonNode> entry, String name, Map<String, String> origins) {
    String line = indent + entry.getKey() + ": " + inline(entry.getValue());
    out.append(line);
    if (origins != null) {
      out.append(" ".repeat(Math.max(1, COMMENT_COLUMN - line.length()))).append("# ").append(origins.getOrDefault(name, "default"));
    }
    out.append("\n");
  }

  /** In flow style, on one line. */
  static String inline(JsonNode value) {
    if (value.isTextual()) {
      String text = value.asText();
      return PLAIN.matcher(text).matches() && !OTHER.matcher(text).matches() && !text.contains(": ") ? text : value.toString();
    }
    if (value.isArray()) {
      return StreamSupport.stream(value.spliterator(), false).map(PrintedConfig::inline).collect(Collectors.joining(", ", "[", "]"));
    }
    if (value.isObject()) {
      StringBuilder out = new StringBuilder("{");
      for (Iterator<Map.Entry<String, JsonNode>> fields = value.fields(); fields.hasNext(); ) {
        Map.Entry<String, JsonNode> field = fields.next();
        out.append(field.getKey()).append(": ").append(inline(field.getValue())).append(fields.hasNext() ? ", " : "");
      }
      return out.append("}").toString();
    }
    return value.asText();
  }
}
