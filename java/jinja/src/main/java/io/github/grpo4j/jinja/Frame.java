package io.github.grpo4j.jinja;

import java.util.HashMap;
import java.util.Map;

/** Variables of one scope: the template, a loop's body, or a macro's call. Blocks of {@code if} have none of their own. */
final class Frame {
  private final Frame parent;
  private final Map<String, Object> variables = new HashMap<>();
  private final Budget budget;
  private final StringBuilder output;

  Frame(Map<String, ?> variables, Budget budget) {
    this.parent = null;
    this.variables.putAll(variables);
    this.budget = budget;
    this.output = new StringBuilder();
  }

  private Frame(Frame parent, StringBuilder output) {
    this.parent = parent;
    this.budget = parent.budget;
    this.output = output;
  }

  /** A scope inside this one that writes to the same output. */
  Frame inner() {
    return new Frame(this, output);
  }

  /** A scope inside this one whose output is kept apart: {@code {% set %}} blocks and macros. */
  Frame capturing() {
    return new Frame(this, new StringBuilder());
  }

  Object get(String name) {
    for (Frame frame = this; frame != null; frame = frame.parent) {
      if (frame.variables.containsKey(name)) {
        return frame.variables.get(name);
      }
    }
    return new Undefined("'" + name + "'");
  }

  void set(String name, Object value) {
    variables.put(name, value);
  }

  void write(String text) {
    budget.spend(text.length());
    output.append(text);
  }

  String output() {
    return output.toString();
  }

  Budget budget() {
    return budget;
  }
}
