package io.github.grpo4j.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Python's rules for the values of a template: null (None), Boolean, Long, Double, String, List, {@link Tuple}, Map, {@link
 * Undefined}, {@link Namespace}, {@link Statement.Loop} and {@link Callable}. Strings are indexed by code points.
 */
final class Values {
  private static final int DEEPEST = 200;

  /** What an entry of a new list costs, in characters. */
  private static final long LIST_ENTRY = 8;

  private Values() {}

  /** A value from outside as one of a template's own: containers are copied, so that nothing else can be reached through them. */
  static Object copy(Object value) {
    return copy(value, 0);
  }

  private static Object copy(Object value, int depth) {
    if (depth > DEEPEST) {
      throw new JinjaException("a value is nested more than " + DEEPEST + " deep");
    }
    if (value == null || value instanceof String || value instanceof Boolean || value instanceof Long || value instanceof Double
        || value instanceof Callable) {
      return value;
    } else if (value instanceof Integer || value instanceof Short || value instanceof Byte) {
      return ((Number) value).longValue();
    } else if (value instanceof BigInteger number) {
      return number.bitLength() < Long.SIZE ? (Object) number.longValue() : (Object) number.doubleValue();
    } else if (value instanceof Float || value instanceof BigDecimal) {
      return ((Number) value).doubleValue();
    } else if (value instanceof Map<?, ?> map) {
      Map<String, Object> copy = new LinkedHashMap<>();
      map.forEach((key, item) -> copy.put(String.valueOf(key), copy(item, depth + 1)));
      return copy;
    } else if (value instanceof Collection<?> items) {
      List<Object> copy = new ArrayList<>(items.size());
      items.forEach(item -> copy.add(copy(item, depth + 1)));
      return copy;
    }
    throw new JinjaException("a template cannot be given a " + value.getClass().getName());
  }

  static String typeName(Object value) {
    if (value == null) {
      return "None";
    } else if (value instanceof String) {
      return "a string";
    } else if (value instanceof Boolean) {
      return "a boolean";
    } else if (value instanceof Number) {
      return "a number";
    } else if (value instanceof List) {
      return "a list";
    } else if (value instanceof Map) {
      return "a dict";
    } else if (value instanceof Callable) {
      return "a function";
    }
    return value instanceof Undefined ? "an undefined value" : "a " + value.getClass().getSimpleName().toLowerCase();
  }

  static boolean isTrue(Object value) {
    if (value instanceof Boolean truth) {
      return truth;
    } else if (value instanceof Number number) {
      return number.doubleValue() != 0;
    } else if (value instanceof String text) {
      return !text.isEmpty();
    } else if (value instanceof Collection<?> items) {
      return !items.isEmpty();
    } else if (value instanceof Map<?, ?> map) {
      return !map.isEmpty();
    }
    return value != null && !(value instanceof Undefined);
  }

  /** {@code base.name}: a method of the value's type, else an entry of a dict. */
  static Object attribute(Object base, String name) {
    if (base instanceof Undefined undefined) {
      throw undefined.error();
    } else if (base instanceof Statement.Loop loop) {
      return loop.get(name);
    } else if (base instanceof Namespace namespace) {
      return namespace.values().getOrDefault(name, new Undefined("attribute '" + name + "' of the namespace"));
    }
    Callable method = Methods.of(base, name);
    if (method != null) {
      return method;
    }
    if (base instanceof Map<?, ?> map && map.containsKey(name)) {
      return map.get(name);
    }
    return new Undefined("attribute '" + name + "' of " + typeName(base));
  }

  /** {@code base[index]}: an entry, else as {@code base.index}. */
  static Object item(Object base, Object index, Budget budget) {
    budget.spend(base instanceof String text ? text.length() : 0);
    if (base instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (base instanceof Map<?, ?> map && map.containsKey(index)) {
      return map.get(index);
    }
    if (index instanceof Long position && (base instanceof List || base instanceof String)) {
      int size = length(base);
      long at = position < 0 ? position + size : position;
      if (at >= 0 && at < size) {
        return base instanceof List<?> list ? list.get((int) at) : characters((String) base, (int) at, (int) at + 1);
      }
    }
    if (index instanceof String name) {
      return attribute(base, name);
    }
    return new Undefined("item " + PythonText.repr(index) + " of " + typeName(base));
  }

  /** {@code base[from:to:by]} of a list or string; null stands for a part left out. */
  static Object slice(Object base, Object from, Object to, Object by, Budget budget) {
    if (base instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (!(base instanceof List) && !(base instanceof String)) {
      throw new JinjaException(typeName(base) + " cannot be sliced");
    }
    long step = by == null ? 1 : integer(by);
    if (step == 0) {
      throw new JinjaException("a slice with a step of 0");
    }
    int size = length(base);
    long begin = bound(from, step > 0 ? 0 : size - 1L, size, step);
    long end = bound(to, step > 0 ? size : -1, size, step);
    budget.spend(LIST_ENTRY * size);
    if (base instanceof String text && step == 1) {
      return begin < end ? characters(text, (int) begin, (int) end) : "";
    }
    List<?> items = base instanceof String text ? iterate(text, budget) : (List<?>) base;
    List<Object> chosen = new ArrayList<>();
    for (long i = begin; step > 0 ? i < end : i > end; i += step) {
      chosen.add(items.get((int) i));
    }
    if (base instanceof String) {
      return String.join("", chosen.stream().map(PythonText::str).toList());
    }
    return base instanceof Tuple ? new Tuple(chosen) : chosen;
  }

  private static long bound(Object given, long otherwise, int size, long step) {
    if (given == null) {
      return otherwise;
    }
    long at = integer(given);
    at = at < 0 ? at + size : at;
    return step > 0 ? Math.max(0, Math.min(at, size)) : Math.max(-1, Math.min(at, size - 1L));
  }

  private static String characters(String text, int from, int to) {
    int begin = text.offsetByCodePoints(0, from);
    return text.substring(begin, text.offsetByCodePoints(begin, to - from));
  }

  static int length(Object value) {
    if (value instanceof String text) {
      return text.codePointCount(0, text.length());
    } else if (value instanceof Collection<?> items) {
      return items.size();
    } else if (value instanceof Map<?, ?> map) {
      return map.size();
    } else if (value instanceof Undefined) {
      return 0;
    }
    throw new JinjaException(typeName(value) + " has no length");
  }

  /** What a loop over a value meets: items, keys of a dict, characters of a string, nothing for an undefined value. */
  static List<Object> iterate(Object value, Budget budget) {
    budget.spend(value instanceof String text ? text.length() : 0);
    if (value instanceof String text) {
      return text.codePoints().mapToObj(c -> (Object) Character.toString(c)).toList();
    } else if (value instanceof Collection<?> items) {
      budget.spend(LIST_ENTRY * items.size());
      return new ArrayList<>(items);
    } else if (value instanceof Map<?, ?> map) {
      budget.spend(map.size());
      return new ArrayList<>(map.keySet());
    } else if (value instanceof Undefined) {
      return List.of();
    }
    throw new JinjaException(typeName(value) + " is not iterable");
  }

  static boolean isNumber(Object value) {
    return value instanceof Number || value instanceof Boolean;
  }

  static boolean isInteger(Object value) {
    return value instanceof Long || value instanceof Boolean;
  }

  static long integer(Object value) {
    if (value instanceof Boolean truth) {
      return truth ? 1 : 0;
    } else if (value instanceof Long number) {
      return number;
    }
    throw value instanceof Undefined undefined ? undefined.error() : new JinjaException("expected a whole number, found " + typeName(value));
  }

  static double real(Object value) {
    return value instanceof Double number ? number : integer(value);
  }

  static Object arithmetic(String operator, Object left, Object right, Budget budget) {
    if (operator.equals("~")) {
      String a = PythonText.str(left);
      String b = PythonText.str(right);
      budget.spend((long) a.length() + b.length());
      return a + b;
    }
    for (Object operand : new Object[] {left, right}) {
      if (operand instanceof Undefined undefined) {
        throw undefined.error();
      }
    }
    if (isNumber(left) && isNumber(right)) {
      return Numbers.apply(operator, left, right);
    }
    if (operator.equals("+") && left instanceof String a && right instanceof String b) {
      budget.spend((long) a.length() + b.length());
      return a + b;
    }
    if (operator.equals("+") && left instanceof List<?> a && right instanceof List<?> b && a instanceof Tuple == b instanceof Tuple) {
      budget.spend(LIST_ENTRY * ((long) a.size() + b.size()));
      List<Object> joined = new ArrayList<>(a);
      joined.addAll(b);
      return a instanceof Tuple ? new Tuple(joined) : joined;
    }
    if (operator.equals("*") && left instanceof String text && isInteger(right)) {
      long times = Math.max(0, integer(right));
      budget.spend(Math.multiplyExact(text.length(), times));
      return text.repeat(text.isEmpty() ? 0 : (int) times);
    }
    throw new JinjaException("'" + operator + "' does not go with " + typeName(left) + " and " + typeName(right));
  }

  /** Roughly how much there is to look through in a value: characters, or entries and what is in them. */
  static long size(Object value) {
    if (value instanceof String text) {
      return text.length();
    } else if (value instanceof Collection<?> items) {
      return items.size();
    }
    return value instanceof Map<?, ?> map ? map.size() : 1;
  }

  static boolean compare(String operator, Object left, Object right, Budget budget) {
    budget.spend(size(left) + size(right));
    return switch (operator) {
      case "==" -> equal(left, right);
      case "!=" -> !equal(left, right);
      case "in" -> contains(right, left);
      case "not in" -> !contains(right, left);
      case "<" -> order(left, right) < 0;
      case "<=" -> order(left, right) <= 0;
      case ">" -> order(left, right) > 0;
      case ">=" -> order(left, right) >= 0;
      default -> throw new IllegalArgumentException(operator);
    };
  }

  static boolean equal(Object left, Object right) {
    if (isNumber(left) && isNumber(right)) {
      return Numbers.compare(left, right) == 0;
    } else if (left instanceof Undefined || right instanceof Undefined) {
      return left instanceof Undefined && right instanceof Undefined;
    } else if (left instanceof List<?> a && right instanceof List<?> b) {
      if (a.size() != b.size() || a instanceof Tuple != b instanceof Tuple) {
        return false;
      }
      for (int i = 0; i < a.size(); i++) {
        if (!equal(a.get(i), b.get(i))) {
          return false;
        }
      }
      return true;
    } else if (left instanceof Map<?, ?> a && right instanceof Map<?, ?> b) {
      return a.size() == b.size()
          && a.entrySet().stream().allMatch(entry -> b.containsKey(entry.getKey()) && equal(entry.getValue(), b.get(entry.getKey())));
    }
    return Objects.equals(left, right);
  }

  private static boolean contains(Object container, Object value) {
    if (container instanceof String text) {
      if (value instanceof String part) {
        return text.contains(part);
      }
      throw value instanceof Undefined undefined ? undefined.error() : new JinjaException("only a string can be 'in' a string, not " + typeName(value));
    } else if (container instanceof Collection<?> items) {
      return items.stream().anyMatch(item -> equal(item, value));
    } else if (container instanceof Map<?, ?> map) {
      return map.containsKey(value);
    } else if (container instanceof Undefined) {
      return false;
    }
    throw new JinjaException("nothing can be 'in' " + typeName(container));
  }

  /** The order of two numbers, strings or lists, as {@link java.util.Comparator} gives it. */
  static int order(Object left, Object right) {
    if (isNumber(left) && isNumber(right)) {
      return Numbers.compare(left, right);
    } else if (left instanceof String a && right instanceof String b) {
      return Arrays.compare(a.codePoints().toArray(), b.codePoints().toArray());
    } else if (left instanceof List<?> a && right instanceof List<?> b) {
      for (int i = 0; i < Math.min(a.size(), b.size()); i++) {
        if (!equal(a.get(i), b.get(i))) {
          return order(a.get(i), b.get(i));
        }
      }
      return Integer.compare(a.size(), b.size());
    }
    for (Object operand : new Object[] {left, right}) {
      if (operand instanceof Undefined undefined) {
        throw undefined.error();
      }
    }
    throw new JinjaException(typeName(left) + " and " + typeName(right) + " have no order");
  }
}
