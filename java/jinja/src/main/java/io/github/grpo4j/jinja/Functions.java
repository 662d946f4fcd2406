package io.github.grpo4j.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Functions every chat template can call. {@code strftime_now} is not among them on purpose: what a model is trained on must not
 * depend on the day; templates that ask whether it is defined then use their own fixed date.
 */
final class Functions {
  static final Map<String, Callable> ALL = Map.of(
      "range", Functions::range,
      "namespace", (arguments, budget) -> new Namespace(dict(arguments)),
      "dict", (arguments, budget) -> dict(arguments),
      "raise_exception", Functions::raise);

  private Functions() {}

  private static Object raise(Callable.Arguments arguments, Budget budget) {
    throw new JinjaException("the template refuses these messages: " + PythonText.str(arguments.require(0, "message")));
  }

  private static Map<String, Object> dict(Callable.Arguments arguments) {
    Map<String, Object> values = new LinkedHashMap<>();
    for (Object argument : arguments.positional()) {
      if (!(argument instanceof Map<?, ?> map)) {
        throw new JinjaException("expected a dict, found " + Values.typeName(argument));
      }
      map.forEach((key, value) -> values.put(PythonText.str(key), value));
    }
    values.putAll(arguments.named());
    return values;
  }

  private static List<Object> range(Callable.Arguments arguments, Budget budget) {
    arguments.atMost("range", 3);
    long first = Values.integer(arguments.require(0, "stop"));
    boolean single = arguments.positional().size() == 1;
    long begin = single ? 0 : first;
    long end = single ? first : Values.integer(arguments.require(1, "stop"));
    long step = Values.integer(arguments.get(2, "step", 1L));
    if (step == 0) {
      throw new JinjaException("range with a step of 0");
    }
    List<Object> values = new ArrayList<>();
    for (long i = begin; step > 0 ? i < end : i > end; i = Math.addExact(i, step)) {
      budget.step();
      values.add(i);
    }
    return values;
  }
}
