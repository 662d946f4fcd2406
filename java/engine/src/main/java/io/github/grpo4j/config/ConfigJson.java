package io.github.grpo4j.config;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.cfg.EnumFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.options.Registry;
import java.io.IOException;

/**
 * Options as JSON trees and back. A record's components are keys in snake_case; a value of a {@link Registry}'s choice is the object of
 * its components with {@value #KIND} in front.
 */
final class ConfigJson {
  /** The key that says which kind of a choice the other keys belong to. */
  static final String KIND = "kind";

  private static final JsonMapper COMPONENTS = builder().build();
  private static final JsonMapper OPTIONS = builder().addModule(choices()).build();

  private ConfigJson() {}

  private static JsonMapper.Builder builder() {
    return JsonMapper.builder()
        .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
        // Components alone: isUsed() and the like are questions to a kind, no keys of it.
        .disable(MapperFeature.AUTO_DETECT_IS_GETTERS)
        .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
        .enable(EnumFeature.WRITE_ENUMS_TO_LOWERCASE)
        .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
        .disable(SerializationFeature.FAIL_ON_EMPTY_BEANS);
  }

  private static SimpleModule choices() {
    SimpleModule module = new SimpleModule();
    Choices.all().forEach(registry -> add(module, registry));
    return module;
  }

  private static <T> void add(SimpleModule module, Registry<T> registry) {
    module.addSerializer(registry.type(), new JsonSerializer<T>() {
      @Override
      public void serialize(T value, JsonGenerator out, SerializerProvider provider) throws IOException {
        out.writeTree(tree(registry, value));
      }
    });
    module.addDeserializer(registry.type(), new JsonDeserializer<T>() {
      @Override
      public T deserialize(JsonParser parser, DeserializationContext context) throws IOException {
        ObjectNode components = parser.readValueAsTree();
        String kind = components.remove(KIND).asText();
        T defaults = registry.find(kind).orElseThrow(() -> new IllegalStateException("the kind " + kind + " was known a moment ago"));
        return registry.type().cast(COMPONENTS.treeToValue(components, defaults.getClass()));
      }
    });
  }

  /** A choice's value: its kind, then its components. */
  static <T> ObjectNode tree(Registry<T> registry, T value) {
    ObjectNode tree = COMPONENTS.createObjectNode().put(KIND, registry.nameOf(value));
    JsonNode components = COMPONENTS.valueToTree(value);
    return components instanceof ObjectNode object ? tree.setAll(object) : tree;
  }

  static JsonMapper mapper() {
    return OPTIONS;
  }
}
