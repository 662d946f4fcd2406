package io.github.grpo4j.jinja;

import io.github.grpo4j.jinja.Callable.Arguments;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * The methods of Python's strings, dicts and lists that a template may call. Those that would change a value are refused, as in
 * Jinja2's immutable sandbox.
 */
final class Methods {
  private static final Set<String> CHANGING =
      Set.of("append", "extend", "insert", "remove", "sort", "reverse", "clear", "pop", "popitem", "update", "setdefault");

  @FunctionalInterface
  private interface StringMethod {
    Object call(String text, Arguments arguments, Budget budget);
  }

  private static final Map<String, StringMethod> STRING = Map.ofEntries(
      Map.entry("strip", (text, arguments, budget) -> strip("strip", text, arguments, true, true)),
      Map.entry("lstrip", (text, arguments, budget) -> strip("lstrip", text, arguments, true, false)),
      Map.entry("rstrip", (text, arguments, budget) -> strip("rstrip", text, arguments, false, true)),
      Map.entry("upper", (text, arguments, budget) -> text.toUpperCase(Locale.ROOT)),
      Map.entry("lower", (text, arguments, budget) -> text.toLowerCase(Locale.ROOT)),
      Map.entry("capitalize", (text, arguments, budget) -> PythonText.capitalize(text)),
      Map.entry("title", (text, arguments, budget) -> title(text)),
      Map.entry("startswith", (text, arguments, budget) -> anyOf(arguments, text::startsWith)),
      Map.entry("endswith", (text, arguments, budget) -> anyOf(arguments, text::endsWith)),
      Map.entry("removeprefix", (text, arguments, budget) -> {
        String prefix = string(arguments.require(0, "prefix"));
        return text.startsWith(prefix) ? text.substring(prefix.length()) : text;
      }),
      Map.entry("removesuffix", (text, arguments, budget) -> {
        String suffix = string(arguments.require(0, "suffix"));
        return text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
      }),
      Map.entry("split", (text, arguments, budget) -> split(text, arguments.atMost("split", 2, "sep", "maxsplit"), budget)),
      Map.entry("rsplit", (text, arguments, budget) -> rsplit(text, arguments.atMost("rsplit", 2, "sep", "maxsplit"), budget)),
      Map.entry("splitlines", (text, arguments, budget) -> lines(text, budget)),
      Map.entry("replace", (text, arguments, budget) -> replace(text, arguments.atMost("replace", 3, "count"), budget)),
      Map.entry("join", (text, arguments, budget) -> join(text, arguments, budget)),
      Map.entry("find", (text, arguments, budget) -> position(text, text.indexOf(string(arguments.atMost("find", 1).require(0, "sub"))))),
      Map.entry("rfind", (text, arguments, budget) -> position(text, text.lastIndexOf(string(arguments.atMost("rfind", 1).require(0, "sub"))))),
      Map.entry("count", (text, arguments, budget) -> count(text, string(arguments.atMost("count", 1).require(0, "sub")))),
      Map.entry("isdigit", (text, arguments, budget) -> !text.isEmpty() && text.codePoints().allMatch(Character::isDigit)),
      Map.entry("isalpha", (text, arguments, budget) -> !text.isEmpty() && text.codePoints().allMatch(Character::isLetter)),
      Map.entry("isalnum", (text, arguments, budget) -> !text.isEmpty() && text.codePoints().allMatch(Character::isLetterOrDigit)),
      Map.entry("isspace", (text, arguments, budget) -> !text.isEmpty() && text.chars().allMatch(c -> PythonText.isSpace((char) c))),
      Map.entry("isupper", (text, arguments, budget) -> isCased(text, true)),
      Map.entry("islower", (text, arguments, budget) -> isCased(text, false)));

  private Methods() {}

  /** A method bound to its value, or null if the type has none of that name. */
  static Callable of(Object base, String name) {
    if (base instanceof String text) {
      StringMethod method = STRING.get(name);
      return method == null ? null : (arguments, budget) -> {
        budget.spend(text.length());
        return method.call(text, arguments, budget);
      };
    }
    if ((base instanceof Map || base instanceof List) && CHANGING.contains(name) && !(base instanceof Map<?, ?> map && map.containsKey(name))) {
      throw new JinjaException("." + name + "() would change a value, which templates may not do");
    }
    if (base instanceof Map<?, ?> map) {
      return switch (name) {
        case "get" -> (arguments, budget) -> {
          Object key = arguments.atMost("get", 2).require(0, "key");
          return map.containsKey(key) ? map.get(key) : arguments.get(1, "default", null);
        };
        case "items" -> (arguments, budget) -> items(map, budget);
        case "keys" -> (arguments, budget) -> Values.iterate(map, budget);
        case "values" -> (arguments, budget) -> Values.iterate(map.values(), budget);
        case "copy" -> (arguments, budget) -> new LinkedHashMap<>(map);
        default -> null;
      };
    }
    if (base instanceof List<?> list) {
      return switch (name) {
        case "index" -> (arguments, budget) -> {
          Object wanted = arguments.atMost("index", 1).require(0, "value");
          for (int i = 0; i < list.size(); i++) {
            if (Values.equal(list.get(i), wanted)) {
              return (long) i;
            }
          }
          throw new JinjaException(PythonText.repr(wanted) + " is not in the list");
        };
        case "count" -> (arguments, budget) -> {
          Object wanted = arguments.atMost("count", 1).require(0, "value");
          return list.stream().filter(item -> Values.equal(item, wanted)).count();
        };
        default -> null;
      };
    }
    return null;
  }

  static List<Object> items(Map<?, ?> map, Budget budget) {
    budget.spend(map.size());
    List<Object> items = new ArrayList<>();
    map.forEach((key, value) -> items.add(new Tuple(Arrays.asList(key, value))));
    return items;
  }

  static String string(Object value) {
    if (value instanceof String text) {
      return text;
    }
    throw value instanceof Undefined undefined ? undefined.error() : new JinjaException("expected a string, found " + Values.typeName(value));
  }

  static String replace(String text, Arguments arguments, Budget budget) {
    String old = string(arguments.require(0, "old"));
    String by = string(arguments.require(1, "new"));
    Object given = arguments.get(2, "count", null);
    long most = given == null ? -1 : Values.integer(given);
    StringBuilder replaced = new StringBuilder();
    int from = 0;
    if (old.isEmpty()) {
      throw new JinjaException("replace of an empty string is not supported");
    }
    for (int at = text.indexOf(old); at >= 0 && most != 0; at = text.indexOf(old, from), most--) {
      budget.spend((long) at - from + by.length());
      replaced.append(text, from, at).append(by);
      from = at + old.length();
    }
    return replaced.append(text, from, text.length()).toString();
  }

  static String join(String separator, Arguments arguments, Budget budget) {
    List<String> parts = new ArrayList<>();
    for (Object part : Values.iterate(arguments.atMost("join", 1).require(0, "iterable"), budget)) {
      parts.add(string(part));
      budget.spend((long) string(part).length() + separator.length());
    }
    return String.join(separator, parts);
  }

  static boolean isCased(String text, boolean upper) {
    boolean cased = text.codePoints().anyMatch(c -> Character.isUpperCase(c) || Character.isLowerCase(c));
    return cased && text.codePoints().noneMatch(upper ? Character::isLowerCase : Character::isUpperCase);
  }

  private static String strip(String method, String text, Arguments arguments, boolean left, boolean right) {
    Object characters = arguments.atMost(method, 1).get(0, "chars", null);
    return PythonText.strip(text, characters == null ? null : string(characters), left, right);
  }

  private static boolean anyOf(Arguments arguments, Predicate<String> matches) {
    Object wanted = arguments.atMost("startswith and endswith", 1).require(0, "prefix");
    if (wanted instanceof Tuple tuple) {
      return tuple.stream().anyMatch(part -> matches.test(string(part)));
    }
    return matches.test(string(wanted));
  }

  /** {@code str.title}: every run of letters begins with a capital. */
  private static String title(String text) {
    StringBuilder title = new StringBuilder();
    boolean inWord = false;
    for (int c : text.codePoints().toArray()) {
      title.appendCodePoint(inWord ? Character.toLowerCase(c) : Character.toTitleCase(c));
      inWord = Character.isLetter(c);
    }
    return title.toString();
  }

  private static List<Object> split(String text, Arguments arguments, Budget budget) {
    Object separator = arguments.get(0, "sep", null);
    long most = Values.integer(arguments.get(1, "maxsplit", -1L));
    List<Object> parts = new ArrayList<>();
    if (separator == null) {
      String rest = PythonText.strip(text, null, true, false);
      while (!rest.isEmpty()) {
        int end = 0;
        while (end < rest.length() && !PythonText.isSpace(rest.charAt(end))) {
          end++;
        }
        if (most == 0 || end == rest.length()) {
          parts.add(rest);
          break;
        }
        budget.spend(rest.length());
        parts.add(rest.substring(0, end));
        rest = PythonText.strip(rest.substring(end), null, true, false);
        most--;
      }
      return parts;
    }
    String by = separator(separator);
    int from = 0;
    for (int at = text.indexOf(by); at >= 0 && most != 0; at = text.indexOf(by, from), most--) {
      budget.step();
      parts.add(text.substring(from, at));
      from = at + by.length();
    }
    parts.add(text.substring(from));
    return parts;
  }

  private static List<Object> rsplit(String text, Arguments arguments, Budget budget) {
    Object separator = arguments.get(0, "sep", null);
    long most = Values.integer(arguments.get(1, "maxsplit", -1L));
    if (separator == null) {
      if (most >= 0) {
        throw new JinjaException("rsplit with maxsplit needs a separator");
      }
      return split(text, Arguments.NONE, budget);
    }
    String by = separator(separator);
    List<Object> parts = new ArrayList<>();
    int end = text.length();
    for (int at = text.lastIndexOf(by); at >= 0 && most != 0; at = text.lastIndexOf(by, end - by.length()), most--) {
      budget.step();
      parts.add(0, text.substring(at + by.length(), end));
      end = at;
      if (end < by.length()) {
        break;
      }
    }
    parts.add(0, text.substring(0, end));
    return parts;
  }

  private static String separator(Object separator) {
    if (string(separator).isEmpty()) {
      throw new JinjaException("split by an empty string");
    }
    return (String) separator;
  }

  private static List<Object> lines(String text, Budget budget) {
    budget.spend(text.length());
    return new ArrayList<>(text.lines().toList());
  }

  private static long position(String text, int at) {
    return at < 0 ? -1 : text.codePointCount(0, at);
  }

  private static long count(String text, String part) {
    if (part.isEmpty()) {
      return text.codePointCount(0, text.length()) + 1L;
    }
    long count = 0;
    for (int at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length())) {
      count++;
    }
    return count;
  }
}
