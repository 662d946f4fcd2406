package io.github.grpo4j.config;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import io.github.grpo4j.options.Registry;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What kind of value an option has, read off the record component that it fills. */
sealed interface OptionType {
  /** One value. */
  enum Scalar implements OptionType {
    TEXT,
    INT,
    LONG,
    NUMBER,
    TRUTH
  }

  /** A list. */
  record ListOf(OptionType element) implements OptionType {}

  /** A kind of a registry with its keys. */
  record Choice(Registry<?> registry) implements OptionType {}

  /** A record of keys that is no choice. */
  record Group(Class<?> type) implements OptionType {}

  /** The components of a record by key, in order; none if it is no record. */
  static Map<String, OptionType> components(Class<?> record) {
    Map<String, OptionType> components = new LinkedHashMap<>();
    if (record.isRecord()) {
      for (RecordComponent component : record.getRecordComponents()) {
        components.put(key(component.getName()), of(component.getGenericType()));
      }
    }
    return components;
  }

  private static OptionType of(Type type) {
    if (type instanceof ParameterizedType list && list.getRawType() == List.class) {
      return new ListOf(of(list.getActualTypeArguments()[0]));
    }
    Class<?> plain = (Class<?>) type;
    Optional<Registry<?>> registry = Choices.of(plain);
    if (registry.isPresent()) {
      return new Choice(registry.get());
    }
    if (plain.isRecord()) {
      return new Group(plain);
    }
    return scalar(plain);
  }

  private static Scalar scalar(Class<?> type) {
    if (type == int.class) {
      return Scalar.INT;
    }
    if (type == long.class) {
      return Scalar.LONG;
    }
    if (type == boolean.class) {
      return Scalar.TRUTH;
    }
    return type == double.class || type == Double.class || type == float.class ? Scalar.NUMBER : Scalar.TEXT;
  }

  private static String key(String component) {
    return ((PropertyNamingStrategies.NamingBase) PropertyNamingStrategies.SNAKE_CASE).translate(component);
  }
}
