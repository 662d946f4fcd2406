package io.github.grpo4j.jinja;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Python's {@code str}, {@code repr} and {@code json.dumps}, and its idea of white space. */
final class PythonText {
  private PythonText() {}

  /** What <code>{{ value }}</code> prints. */
  static String str(Object value) {
    if (value instanceof String text) {
      return text;
    }
    return value instanceof Undefined ? "" : repr(value);
  }

  static String repr(Object value) {
    if (value == null) {
      return "None";
    } else if (value instanceof Boolean truth) {
      return truth ? "True" : "False";
    } else if (value instanceof Double number) {
      return number(number);
    } else if (value instanceof String text) {
      return quote(text);
    } else if (value instanceof Tuple tuple) {
      return tuple.size() == 1 ? "(" + repr(tuple.get(0)) + ",)" : "(" + reprs(tuple) + ")";
    } else if (value instanceof List<?> list) {
      return "[" + reprs(list) + "]";
    } else if (value instanceof Map<?, ?> map) {
      List<String> entries = new ArrayList<>();
      map.forEach((key, item) -> entries.add(repr(key) + ": " + repr(item)));
      return "{" + String.join(", ", entries) + "}";
    } else if (value instanceof Long) {
      return value.toString();
    }
    throw new JinjaException(Values.typeName(value) + " cannot be printed");
  }

  private static String reprs(List<?> items) {
    return String.join(", ", items.stream().map(PythonText::repr).toList());
  }

  private static String quote(String text) {
    char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
    StringBuilder quoted = new StringBuilder().append(quote);
    text.codePoints().forEach(c -> {
      switch (c) {
        case '\\' -> quoted.append("\\\\");
        case '\n' -> quoted.append("\\n");
        case '\r' -> quoted.append("\\r");
        case '\t' -> quoted.append("\\t");
        default -> {
          if (c == quote) {
            quoted.append('\\').append(quote);
          } else if (c < 0x20 || c == 0x7F || c >= 0x80 && c < 0xA0) {
            quoted.append(String.format("\\x%02x", c));
          } else {
            quoted.appendCodePoint(c);
          }
        }
      }
    });
    return quoted.append(quote).toString();
  }

  /** {@code repr(float)}: shortest digits, with an exponent below 1e-4 and from 1e16. */
  static String number(double value) {
    if (Double.isNaN(value) || Double.isInfinite(value)) {
      return Double.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
    }
    BigDecimal decimal = new BigDecimal(Double.toString(value)).stripTrailingZeros();
    int exponent = decimal.precision() - decimal.scale() - 1;
    if (value == 0) {
      return 1 / value < 0 ? "-0.0" : "0.0";
    }
    if (exponent < -4 || exponent >= 16) {
      String digits = decimal.unscaledValue().abs().toString();
      String mantissa = digits.length() == 1 ? digits : digits.charAt(0) + "." + digits.substring(1);
      return (value < 0 ? "-" : "") + mantissa + "e" + (exponent < 0 ? "-" : "+") + String.format("%02d", Math.abs(exponent));
    }
    String plain = decimal.toPlainString();
    return plain.contains(".") ? plain : plain + ".0";
  }

  /** {@code json.dumps(value, ensure_ascii=False)}; with an indent of −1 on one line. */
  static String json(Object value, int indent, boolean sortKeys, Budget budget) {
    StringBuilder json = new StringBuilder();
    json(value, indent, 1, sortKeys, json, budget);
    budget.spend(json.length());
    return json.toString();
  }

  private static void json(Object value, int indent, int depth, boolean sortKeys, StringBuilder json, Budget budget) {
    budget.step();
    if (value == null || value instanceof Boolean || value instanceof Long) {
      json.append(value);
    } else if (value instanceof Double number) {
      json.append(Double.isNaN(number) ? "NaN" : Double.isInfinite(number) ? (number > 0 ? "Infinity" : "-Infinity") : number(number));
    } else if (value instanceof String text) {
      jsonString(text, json);
    } else if (value instanceof List<?> list) {
      json.append('[');
      for (int i = 0; i < list.size(); i++) {
        jsonBreak(i, indent, depth, json);
        json(list.get(i), indent, depth + 1, sortKeys, json, budget);
      }
      jsonClose(list.isEmpty(), indent, depth, json);
      json.append(']');
    } else if (value instanceof Map<?, ?> map) {
      json.append('{');
      List<? extends Map.Entry<?, ?>> entries = new ArrayList<>(map.entrySet());
      if (sortKeys) {
        entries.sort((a, b) -> Values.order(a.getKey(), b.getKey()));
      }
      for (int i = 0; i < entries.size(); i++) {
        jsonBreak(i, indent, depth, json);
        Object key = entries.get(i).getKey();
        jsonString(key instanceof String text ? text : String.valueOf(key), json);
        json.append(": ");
        json(entries.get(i).getValue(), indent, depth + 1, sortKeys, json, budget);
      }
      jsonClose(map.isEmpty(), indent, depth, json);
      json.append('}');
    } else {
      throw value instanceof Undefined undefined ? undefined.error() : new JinjaException(Values.typeName(value) + " has no JSON form");
    }
  }

  private static void jsonBreak(int item, int indent, int depth, StringBuilder json) {
    if (indent < 0) {
      json.append(item > 0 ? ", " : "");
    } else {
      json.append(item > 0 ? ",\n" : "\n").append(" ".repeat(indent * depth));
    }
  }

  private static void jsonClose(boolean empty, int indent, int depth, StringBuilder json) {
    if (indent >= 0 && !empty) {
      json.append('\n').append(" ".repeat(indent * (depth - 1)));
    }
  }

  private static void jsonString(String text, StringBuilder json) {
    json.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      int escape = "\"\\\n\r\t\b\f".indexOf(c);
      if (escape >= 0) {
        json.append('\\').append("\"\\nrtbf".charAt(escape));
      } else if (c < 0x20) {
        json.append(String.format("\\u%04x", (int) c));
      } else {
        json.append(c);
      }
    }
    json.append('"');
  }

  /** {@code str.isspace} of one character. */
  static boolean isSpace(char c) {
    return Character.isWhitespace(c) || Character.isSpaceChar(c) || c == 0x85;
  }

  /** {@code str.strip}, or one side of it; {@code characters} null strips white space. */
  static String strip(String text, String characters, boolean left, boolean right) {
    int begin = 0;
    int end = text.length();
    while (left && begin < end && strips(text.charAt(begin), characters)) {
      begin++;
    }
    while (right && end > begin && strips(text.charAt(end - 1), characters)) {
      end--;
    }
    return text.substring(begin, end);
  }

  private static boolean strips(char c, String characters) {
    return characters == null ? isSpace(c) : characters.indexOf(c) >= 0;
  }

  static String capitalize(String text) {
    int first = text.isEmpty() ? 0 : text.offsetByCodePoints(0, 1);
    return text.substring(0, first).toUpperCase(Locale.ROOT) + text.substring(first).toLowerCase(Locale.ROOT);
  }
}
