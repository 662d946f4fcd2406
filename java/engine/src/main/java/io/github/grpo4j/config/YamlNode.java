package io.github.grpo4j.config;

import com.fasterxml.jackson.core.JsonToken;
import java.util.List;

/** A piece of YAML that knows where it stands: {@code config.yaml:12}, or {@code --set a.b=c}. */
sealed interface YamlNode {
  String place();

  /** One value as it was written. */
  record Scalar(JsonToken token, String text, String place) implements YamlNode {
    boolean isEmpty() {
      return token == JsonToken.VALUE_NULL;
    }
  }

  record Items(List<YamlNode> items, String place) implements YamlNode {}

  /** Keys in the order of the file; the same key may come twice, which the reader of a group knows how to name. */
  record Entries(List<Entry> entries, String place) implements YamlNode {}

  /** @param place of the key */
  record Entry(String key, YamlNode value, String place) {}
}
