package io.github.grpo4j.jinja;

import io.github.grpo4j.jinja.Callable.Arguments;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What may follow {@code is}. */
final class Tests {
  private static final Set<String> NAMES = Set.of(
      "defined", "undefined", "none", "true", "false", "boolean", "integer", "float", "number", "string", "mapping", "iterable",
      "sequence", "callable", "odd", "even", "divisibleby", "in", "sameas", "eq", "equalto", "ne", "lt", "lessthan", "le", "gt",
      "greaterthan", "ge", "lower", "upper");

  private Tests() {}

  /** The name of a test as it stands in a template, if there is such a test. */
  static String require(Token name) {
    if (!NAMES.contains(name.text())) {
      throw new JinjaException(name.line(), "there is no test 'is " + name.text() + "'");
    }
    return name.text();
  }

  static boolean apply(String test, Object value, Arguments arguments, Budget budget) {
    budget.spend(Values.size(value));
    return switch (test) {
      case "defined" -> !(value instanceof Undefined);
      case "undefined" -> value instanceof Undefined;
      case "none" -> value == null;
      case "true" -> Boolean.TRUE.equals(value);
      case "false" -> Boolean.FALSE.equals(value);
      case "boolean" -> value instanceof Boolean;
      case "integer" -> value instanceof Long;
      case "float" -> value instanceof Double;
      case "number" -> Values.isNumber(value);
      case "string" -> value instanceof String;
      case "mapping" -> value instanceof Map;
      case "iterable", "sequence" ->
          value instanceof String || value instanceof List || value instanceof Map || value instanceof Undefined;
      case "callable" -> value instanceof Callable;
      case "odd" -> Math.floorMod(Values.integer(value), 2L) == 1;
      case "even" -> Math.floorMod(Values.integer(value), 2L) == 0;
      case "divisibleby" -> Numbers.apply("%", value, Values.integer(arguments.require(0, "num"))).equals(0L);
      case "in" -> Values.compare("in", value, arguments.require(0, "seq"), budget);
      case "sameas" -> same(value, arguments.require(0, "other"));
      case "eq", "equalto" -> Values.compare("==", value, arguments.require(0, "other"), budget);
      case "ne" -> !Values.compare("==", value, arguments.require(0, "other"), budget);
      case "lt", "lessthan" -> Values.order(value, arguments.require(0, "other")) < 0;
      case "le" -> Values.order(value, arguments.require(0, "other")) <= 0;
      case "gt", "greaterthan" -> Values.order(value, arguments.require(0, "other")) > 0;
      case "ge" -> Values.order(value, arguments.require(0, "other")) >= 0;
      case "lower" -> Methods.isCased(PythonText.str(value), false);
      case "upper" -> Methods.isCased(PythonText.str(value), true);
      default -> throw new JinjaException("there is no test 'is " + test + "'");
    };
  }

  /** Identity, which Python grants to None, booleans and, in practice, to equal strings and small numbers of one type. */
  private static boolean same(Object value, Object other) {
    return value == other || value != null && other != null && value.getClass() == other.getClass()
        && !(value instanceof List) && !(value instanceof Map) && Values.equal(value, other);
  }
}
