package io.github.grpo4j.options;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;

/**
 * The kinds of one choice, such as the surrogates of a policy loss, by the names that a configuration gives them. A kind stands
 * for its defaults: an instance that a configuration's keys change component by component.
 *
 * <pre>{@code
 * public static final Registry<Surrogate> REGISTRY = Registry.of(Surrogate.class)
 *     .with("none", new Unclipped())
 *     .with("ppo", new PpoClip());
 * }</pre>
 *
 * <p>Two ways lead to a kind that is not listed: {@link ServiceLoader}, where the kind's name is its class name in snake_case,
 * and the full name of a class with a public constructor without arguments.
 *
 * @param <T> the interface that all kinds implement
 */
public final class Registry<T> {
  private final Class<T> type;
  private final Map<String, T> kinds;
  private final Map<String, String> aliases;

  private Registry(Class<T> type, Map<String, T> kinds, Map<String, String> aliases) {
    this.type = type;
    this.kinds = kinds;
    this.aliases = aliases;
  }

  public static <T> Registry<T> of(Class<T> type) {
    return new Registry<>(type, new LinkedHashMap<>(), new LinkedHashMap<>());
  }

  /** This registry with one more kind. */
  public Registry<T> with(String name, T defaults) {
    Map<String, T> more = new LinkedHashMap<>(kinds);
    if (more.put(name, defaults) != null) {
      throw new IllegalArgumentException(type.getSimpleName() + " " + name + " is registered twice");
    }
    return new Registry<>(type, more, aliases);
  }

  /** This registry with another name for a kind, which configurations are read by but never written with. */
  public Registry<T> withAlias(String alias, String name) {
    Map<String, String> more = new LinkedHashMap<>(aliases);
    more.put(alias, name);
    return new Registry<>(type, kinds, more);
  }

  public Class<T> type() {
    return type;
  }

  /** Names of all kinds that need no class name: the listed ones, then those found by {@link ServiceLoader}. */
  public List<String> names() {
    List<String> names = new ArrayList<>(kinds.keySet());
    services().keySet().stream().filter(name -> !kinds.containsKey(name)).forEach(names::add);
    return names;
  }

  /**
   * The defaults of a kind.
   *
   * @param name a listed name, an alias, the snake_case name of a service or the full name of a class
   * @return empty if nothing has that name
   * @throws IllegalArgumentException if it is a class that is not of this choice or cannot be created
   */
  public Optional<T> find(String name) {
    T listed = kinds.get(aliases.getOrDefault(name, name));
    if (listed != null) {
      return Optional.of(listed);
    }
    T service = services().get(name);
    return service != null ? Optional.of(service) : ofClass(name);
  }

  /** The name by which {@link #find} finds the kind of a value. */
  public String nameOf(T value) {
    for (Map.Entry<String, T> kind : kinds.entrySet()) {
      if (kind.getValue().getClass() == value.getClass()) {
        return kind.getKey();
      }
    }
    return value.getClass().getName();
  }

  /** A name to call a value by: that of its kind where it is listed, else its class name in snake_case without the package. */
  public String shortNameOf(T value) {
    String name = nameOf(value);
    return kinds.containsKey(name) ? name : snakeCase(value.getClass().getSimpleName());
  }

  private Map<String, T> services() {
    Map<String, T> found = new LinkedHashMap<>();
    ServiceLoader.load(type, loader()).forEach(service -> found.put(snakeCase(service.getClass().getSimpleName()), service));
    return found;
  }

  private Optional<T> ofClass(String name) {
    if (name.indexOf('.') < 0) {
      return Optional.empty();
    }
    try {
      Class<?> found = Class.forName(name, true, loader());
      if (!type.isAssignableFrom(found)) {
        throw new IllegalArgumentException("the class " + name + " is no " + type.getName());
      }
      return Optional.of(type.cast(found.getConstructor().newInstance()));
    } catch (ClassNotFoundException e) {
      return Optional.empty();
    } catch (ReflectiveOperationException e) {
      throw new IllegalArgumentException("the class " + name + " cannot be created: a kind needs a public constructor without arguments"
          + " that gives its defaults", e);
    }
  }

  private ClassLoader loader() {
    ClassLoader context = Thread.currentThread().getContextClassLoader();
    return context != null ? context : type.getClassLoader();
  }

  /** {@code PpoClip} to {@code ppo_clip}. */
  static String snakeCase(String name) {
    return name.replaceAll("(?<=[a-z0-9])(?=[A-Z])", "_").toLowerCase(Locale.ROOT);
  }
}
