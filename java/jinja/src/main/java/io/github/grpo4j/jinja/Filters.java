package io.github.grpo4j.jinja;

import io.github.grpo4j.jinja.Callable.Arguments;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;

/** What may follow {@code |}: Jinja2's filters as far as chat templates use them, and transformers' own {@code tojson}. */
final class Filters {
  @FunctionalInterface
  private interface Filter {
    Object apply(Object value, Arguments arguments, Budget budget);
  }

  private static final Map<String, Filter> ALL = Map.ofEntries(
      Map.entry("trim", text(1, (text, arguments) -> PythonText.strip(text, characters(arguments), true, true), "chars")),
      Map.entry("upper", text(0, (text, arguments) -> text.toUpperCase(Locale.ROOT))),
      Map.entry("lower", text(0, (text, arguments) -> text.toLowerCase(Locale.ROOT))),
      Map.entry("capitalize", text(0, (text, arguments) -> PythonText.capitalize(text))),
      Map.entry("title", text(0, (text, arguments) -> title(text))),
      Map.entry("string", text(0, (text, arguments) -> text)),
      Map.entry("safe", text(0, (text, arguments) -> text)),
      Map.entry("indent", text(3, Filters::indent, "width", "first", "blank")),
      Map.entry("replace", (value, arguments, budget) -> Methods.replace(PythonText.str(value), arguments.atMost("replace", 3, "old", "new", "count"), budget)),
      Map.entry("length", (value, arguments, budget) -> (long) Values.length(value)),
      Map.entry("count", (value, arguments, budget) -> (long) Values.length(value)),
      Map.entry("first", (value, arguments, budget) -> at(Values.iterate(value, budget), true)),
      Map.entry("last", (value, arguments, budget) -> at(Values.iterate(value, budget), false)),
      Map.entry("list", (value, arguments, budget) -> Values.iterate(value, budget)),
      Map.entry("items", Filters::items),
      Map.entry("dictsort", Filters::dictsort),
      Map.entry("reverse", Filters::reverse),
      Map.entry("sort", Filters::sort),
      Map.entry("unique", Filters::unique),
      Map.entry("join", Filters::join),
      Map.entry("default", Filters::otherwise),
      Map.entry("d", Filters::otherwise),
      Map.entry("map", Filters::map),
      Map.entry("select", (value, arguments, budget) -> select(value, arguments, budget, false, true)),
      Map.entry("reject", (value, arguments, budget) -> select(value, arguments, budget, false, false)),
      Map.entry("selectattr", (value, arguments, budget) -> select(value, arguments, budget, true, true)),
      Map.entry("rejectattr", (value, arguments, budget) -> select(value, arguments, budget, true, false)),
      Map.entry("int", Filters::toInteger),
      Map.entry("float", Filters::toFloat),
      Map.entry("abs", (value, arguments, budget) -> value instanceof Double number ? (Object) Math.abs(number) : (Object) Math.absExact(Values.integer(value))),
      Map.entry("sum", Filters::sum),
      Map.entry("min", (value, arguments, budget) -> at(sorted(Values.iterate(value, budget)), true)),
      Map.entry("max", (value, arguments, budget) -> at(sorted(Values.iterate(value, budget)), false)),
      Map.entry("tojson", Filters::toJson));

  /** Where Jinja2's {@code title} begins a word. */
  private static final Pattern WORD_BEGINNING = Pattern.compile("(?<=[-\\s({\\[<])(?=[^-\\s({\\[<])");

  private Filters() {}

  /** The name of a filter as it stands in a template, if there is such a filter. */
  static String require(Token name) {
    if (!ALL.containsKey(name.text())) {
      throw new JinjaException(name.line(), "there is no filter '" + name.text() + "'");
    }
    return name.text();
  }

  static Object apply(String filter, Object value, Arguments arguments, Budget budget) {
    Filter known = ALL.get(filter);
    budget.spend(Values.size(value));
    if (known == null) {
      throw new JinjaException("there is no filter '" + filter + "'");
    }
    return known.apply(value, arguments, budget);
  }

  @FunctionalInterface
  private interface TextFilter {
    String apply(String text, Arguments arguments);
  }

  private static Filter text(int most, TextFilter filter, String... names) {
    return (value, arguments, budget) -> {
      String filtered = filter.apply(PythonText.str(value), arguments.atMost("the filter", most, names));
      budget.spend(filtered.length());
      return filtered;
    };
  }

  private static String characters(Arguments arguments) {
    Object characters = arguments.get(0, "chars", null);
    return characters == null ? null : Methods.string(characters);
  }

  private static String title(String text) {
    StringBuilder title = new StringBuilder();
    for (String word : WORD_BEGINNING.split(text)) {
      title.append(PythonText.capitalize(word));
    }
    return title.toString();
  }

  private static String indent(String text, Arguments arguments) {
    Object width = arguments.get(0, "width", 4L);
    long columns = width instanceof String ? 0 : Values.integer(width);
    if (columns < 0 || columns > 1000) {
      throw new JinjaException("indent by " + columns);
    }
    String indentation = width instanceof String given ? given : " ".repeat((int) columns);
    boolean first = Values.isTrue(arguments.get(1, "first", false));
    boolean blank = Values.isTrue(arguments.get(2, "blank", false));
    String[] lines = text.split("\n", -1);
    for (int i = 0; i < lines.length; i++) {
      if (i == 0 ? first : blank || !lines[i].isEmpty()) {
        lines[i] = indentation + lines[i];
      }
    }
    return String.join("\n", lines);
  }

  private static Object at(List<Object> items, boolean first) {
    return items.isEmpty() ? new Undefined("an item of an empty sequence") : items.get(first ? 0 : items.size() - 1);
  }

  private static Object items(Object value, Arguments arguments, Budget budget) {
    if (value instanceof Undefined) {
      return List.of();
    } else if (value instanceof Map<?, ?> map) {
      return Methods.items(map, budget);
    }
    throw new JinjaException("the items of " + Values.typeName(value) + " were asked for; only a dict has any");
  }

  private static Object dictsort(Object value, Arguments arguments, Budget budget) {
    arguments.atMost("dictsort", 3, "case_sensitive", "by", "reverse");
    UnaryOperator<Object> key = Values.isTrue(arguments.get(0, "case_sensitive", false)) ? UnaryOperator.identity() : Filters::ignoreCase;
    int by = "value".equals(arguments.get(1, "by", "key")) ? 1 : 0;
    List<Object> items = new ArrayList<>((List<?>) items(value, Arguments.NONE, budget));
    Comparator<Object> order = (a, b) -> Values.order(key.apply(((Tuple) a).get(by)), key.apply(((Tuple) b).get(by)));
    items.sort(Values.isTrue(arguments.get(2, "reverse", false)) ? order.reversed() : order);
    return items;
  }

  private static Object ignoreCase(Object value) {
    return value instanceof String text ? text.toLowerCase(Locale.ROOT) : value;
  }

  private static Object reverse(Object value, Arguments arguments, Budget budget) {
    if (value instanceof String text) {
      budget.spend(text.length());
      return new StringBuilder(text).reverse().toString();
    }
    List<Object> items = Values.iterate(value, budget);
    List<Object> reversed = new ArrayList<>(items);
    Collections.reverse(reversed);
    return reversed;
  }

  private static List<Object> sorted(List<Object> items) {
    List<Object> sorted = new ArrayList<>(items);
    sorted.sort((a, b) -> Values.order(ignoreCase(a), ignoreCase(b)));
    return sorted;
  }

  private static Object sort(Object value, Arguments arguments, Budget budget) {
    arguments.atMost("sort", 3, "reverse", "case_sensitive", "attribute");
    UnaryOperator<Object> key = Values.isTrue(arguments.get(1, "case_sensitive", false)) ? UnaryOperator.identity() : Filters::ignoreCase;
    Object attribute = arguments.get(2, "attribute", null);
    Comparator<Object> order = (a, b) -> Values.order(key.apply(path(a, attribute, budget)), key.apply(path(b, attribute, budget)));
    List<Object> items = new ArrayList<>(Values.iterate(value, budget));
    items.sort(Values.isTrue(arguments.get(0, "reverse", false)) ? order.reversed() : order);
    return items;
  }

  private static Object unique(Object value, Arguments arguments, Budget budget) {
    arguments.atMost("unique", 2, "case_sensitive", "attribute");
    boolean exact = Values.isTrue(arguments.get(0, "case_sensitive", false));
    List<Object> keys = new ArrayList<>();
    List<Object> chosen = new ArrayList<>();
    for (Object item : Values.iterate(value, budget)) {
      Object found = path(item, arguments.get(1, "attribute", null), budget);
      Object key = exact ? found : ignoreCase(found);
      budget.spend(keys.size());
      if (keys.stream().noneMatch(known -> Values.equal(known, key))) {
        keys.add(key);
        chosen.add(item);
      }
    }
    return chosen;
  }

  private static Object join(Object value, Arguments arguments, Budget budget) {
    arguments.atMost("join", 2, "d", "attribute");
    String separator = PythonText.str(arguments.get(0, "d", ""));
    List<String> parts = new ArrayList<>();
    for (Object item : Values.iterate(value, budget)) {
      String part = PythonText.str(path(item, arguments.get(1, "attribute", null), budget));
      budget.spend((long) part.length() + separator.length());
      parts.add(part);
    }
    return String.join(separator, parts);
  }

  private static Object otherwise(Object value, Arguments arguments, Budget budget) {
    arguments.atMost("default", 2, "default_value", "boolean");
    boolean falsy = Values.isTrue(arguments.get(1, "boolean", false)) && !Values.isTrue(value);
    return value instanceof Undefined || falsy ? arguments.get(0, "default_value", "") : value;
  }

  /** {@code attribute} of an item, dots leading further in; the item itself where there is none. */
  private static Object path(Object item, Object attribute, Budget budget) {
    if (attribute == null) {
      return item;
    }
    Object value = item;
    for (String name : PythonText.str(attribute).split("\\.")) {
      value = Values.item(value, name.matches("\\d{1,9}") ? (Object) Long.parseLong(name) : name, budget);
    }
    return value;
  }

  private static Object map(Object value, Arguments arguments, Budget budget) {
    List<Object> mapped = new ArrayList<>();
    Object attribute = arguments.named().get("attribute");
    if (attribute != null) {
      arguments.atMost("map", 0, "attribute", "default");
      for (Object item : Values.iterate(value, budget)) {
        Object found = path(item, attribute, budget);
        mapped.add(found instanceof Undefined && arguments.named().containsKey("default") ? arguments.named().get("default") : found);
      }
      return mapped;
    }
    String filter = Methods.string(arguments.require(0, "filter"));
    Arguments rest = new Arguments(arguments.positional().subList(1, arguments.positional().size()), arguments.named());
    for (Object item : Values.iterate(value, budget)) {
      budget.step();
      mapped.add(apply(filter, item, rest, budget));
    }
    return mapped;
  }

  private static Object select(Object value, Arguments arguments, Budget budget, boolean byAttribute, boolean keep) {
    int test = byAttribute ? 1 : 0;
    Object attribute = byAttribute ? arguments.require(0, "attribute") : null;
    List<Object> positional = arguments.positional();
    List<Object> chosen = new ArrayList<>();
    for (Object item : Values.iterate(value, budget)) {
      budget.step();
      Object tested = path(item, attribute, budget);
      boolean passes = positional.size() > test
          ? Tests.apply(alias(Methods.string(positional.get(test))), tested,
              new Arguments(positional.subList(test + 1, positional.size()), arguments.named()), budget)
          : Values.isTrue(tested);
      if (passes == keep) {
        chosen.add(item);
      }
    }
    return chosen;
  }

  /** As the argument of a filter, a test may also be named by its operator. */
  private static String alias(String test) {
    return switch (test) {
      case "==" -> "eq";
      case "!=" -> "ne";
      case "<" -> "lt";
      case "<=" -> "le";
      case ">" -> "gt";
      case ">=" -> "ge";
      default -> test;
    };
  }

  private static Object toInteger(Object value, Arguments arguments, Budget budget) {
    Object otherwise = arguments.atMost("int", 1, "default").get(0, "default", 0L);
    if (Values.isInteger(value)) {
      return Values.integer(value);
    }
    Object number = toFloat(value, new Arguments(Collections.singletonList(null), Map.of()), budget);
    if (value instanceof String text && text.strip().matches("[+-]?\\d{1,18}")) {
      return Long.parseLong(text.strip());
    }
    return number instanceof Double real && Math.abs(real) < 1e18 ? (Object) real.longValue() : otherwise;
  }

  private static Object toFloat(Object value, Arguments arguments, Budget budget) {
    Object otherwise = arguments.atMost("float", 1, "default").get(0, "default", 0.0);
    if (Values.isNumber(value)) {
      return Values.real(value);
    }
    boolean number = value instanceof String text && text.strip().matches("[+-]?(\\d{1,300}(\\.\\d{0,300})?|\\.\\d{1,300})([eE][+-]?\\d{1,4})?");
    return number ? (Object) Double.parseDouble(((String) value).strip()) : otherwise;
  }

  private static Object sum(Object value, Arguments arguments, Budget budget) {
    arguments.atMost("sum", 2, "attribute", "start");
    Object sum = arguments.get(1, "start", 0L);
    for (Object item : Values.iterate(value, budget)) {
      sum = Values.arithmetic("+", sum, path(item, arguments.get(0, "attribute", null), budget), budget);
    }
    return sum;
  }

  /** The {@code tojson} of transformers, whose first argument is not Jinja2's. */
  private static Object toJson(Object value, Arguments arguments, Budget budget) {
    arguments.atMost("tojson", 2, "ensure_ascii", "indent", "sort_keys");
    if (Values.isTrue(arguments.get(0, "ensure_ascii", false))) {
      throw new JinjaException("tojson(ensure_ascii=true) is not supported");
    }
    Object indent = arguments.get(1, "indent", null);
    long columns = indent == null ? -1 : Values.integer(indent);
    if (columns > 1000) {
      throw new JinjaException("indent by " + columns);
    }
    boolean sortKeys = Values.isTrue(arguments.named().getOrDefault("sort_keys", false));
    return PythonText.json(value, (int) Math.max(-1, columns), sortKeys, budget);
  }
}
