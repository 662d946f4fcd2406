package io.github.grpo4j.jinja;

import java.util.List;
import java.util.Map;

/** A macro, a function or a method bound to its value. */
@FunctionalInterface
interface Callable {
  Object call(Arguments arguments, Budget budget);

  /** What stands in the brackets of a call, filter or test. */
  record Arguments(List<Object> positional, Map<String, Object> named) {
    static final Arguments NONE = new Arguments(List.of(), Map.of());

    /** The argument at a position or of a name, or a default. */
    Object get(int position, String name, Object otherwise) {
      if (position < positional.size()) {
        return positional.get(position);
      }
      return named.getOrDefault(name, otherwise);
    }

    Object require(int position, String name) {
      Object value = get(position, name, this);
      if (value == this) {
        throw new JinjaException("an argument is missing: " + name);
      }
      return value;
    }

    /** Refuses what the callee would silently ignore. */
    Arguments atMost(String callee, int count, String... names) {
      if (positional.size() > count) {
        throw new JinjaException(callee + " takes at most " + count + " arguments, got " + positional.size());
      }
      for (String given : named.keySet()) {
        if (!List.of(names).contains(given)) {
          throw new JinjaException(callee + " has no argument " + given);
        }
      }
      return this;
    }
  }
}
