package io.github.grpo4j.jinja;

import io.github.grpo4j.jinja.Callable.Arguments;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A node of the syntax tree that has a value. */
sealed interface Expression {
  Object evaluate(Frame frame);

  /** A number, string, true, false or none. */
  record Literal(Object value) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      frame.budget().step();
      return value;
    }
  }

  record Name(String name) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      frame.budget().step();
      return frame.get(name);
    }
  }

  /** {@code [a, b]} or {@code (a, b)} */
  record ListOf(List<Expression> items, boolean tuple) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      frame.budget().step();
      List<Object> values = new ArrayList<>(items.size());
      for (Expression item : items) {
        values.add(item.evaluate(frame));
      }
      return tuple ? new Tuple(values) : values;
    }
  }

  record DictOf(List<Map.Entry<Expression, Expression>> entries) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      frame.budget().step();
      Map<Object, Object> values = new LinkedHashMap<>();
      for (Map.Entry<Expression, Expression> entry : entries) {
        values.put(entry.getKey().evaluate(frame), entry.getValue().evaluate(frame));
      }
      return values;
    }
  }

  /** {@code base.name} */
  record Attribute(Expression base, String name, int line) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      frame.budget().step();
      try {
        return Values.attribute(base.evaluate(frame), name);
      } catch (JinjaException e) {
        throw e.at(line);
      }
    }
  }

  /** {@code base[index]} */
  record Item(Expression base, Expression index, int line) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      frame.budget().step();
      try {
        return Values.item(base.evaluate(frame), index.evaluate(frame), frame.budget());
      } catch (JinjaException e) {
        throw e.at(line);
      }
    }
  }

  /** {@code base[from:to:by]}; any part may be null. */
  record Slice(Expression base, Expression from, Expression to, Expression by, int line) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      frame.budget().step();
      try {
        return Values.slice(base.evaluate(frame), part(from, frame), part(to, frame), part(by, frame), frame.budget());
      } catch (JinjaException e) {
        throw e.at(line);
      }
    }

    private static Object part(Expression part, Frame frame) {
      return part == null ? null : part.evaluate(frame);
    }
  }

  /** Arguments as written, before they have values. */
  record Call(List<Expression> positional, Map<String, Expression> named) {
    static final Call EMPTY = new Call(List.of(), Map.of());

    Arguments evaluate(Frame frame) {
      List<Object> values = new ArrayList<>(positional.size());
      for (Expression argument : positional) {
        values.add(argument.evaluate(frame));
      }
      Map<String, Object> names = new LinkedHashMap<>();
      named.forEach((name, argument) -> names.put(name, argument.evaluate(frame)));
      return new Arguments(values, names);
    }
  }

  /** {@code callee(arguments)} */
  record Invoke(Expression callee, Call call, int line) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      frame.budget().step();
      Object function = callee.evaluate(frame);
      try {
        if (function instanceof Callable callable) {
          return callable.call(call.evaluate(frame), frame.budget());
        }
        throw function instanceof Undefined undefined ? undefined.error() : new JinjaException(Values.typeName(function) + " cannot be called");
      } catch (JinjaException e) {
        throw e.at(line);
      }
    }
  }

  /** {@code value | filter(arguments)} */
  record Filtered(Expression value, String filter, Call call, int line) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      frame.budget().step();
      try {
        return Filters.apply(filter, value.evaluate(frame), call.evaluate(frame), frame.budget());
      } catch (JinjaException e) {
        throw e.at(line);
      }
    }
  }

  /** {@code value is test(arguments)} */
  record Tested(Expression value, String test, Call call, int line) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      frame.budget().step();
      try {
        return Tests.apply(test, value.evaluate(frame), call.evaluate(frame), frame.budget());
      } catch (JinjaException e) {
        throw e.at(line);
      }
    }
  }

  record Not(Expression value) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      frame.budget().step();
      return !Values.isTrue(value.evaluate(frame));
    }
  }

  /** {@code and}, {@code or}: as in Python the value that decides, not a boolean. */
  record Logic(boolean and, Expression left, Expression right) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      frame.budget().step();
      Object value = left.evaluate(frame);
      return Values.isTrue(value) == and ? right.evaluate(frame) : value;
    }
  }

  /** {@code then if condition else otherwise}; without else undefined. */
  record Conditional(Expression condition, Expression then, Expression otherwise) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      frame.budget().step();
      if (Values.isTrue(condition.evaluate(frame))) {
        return then.evaluate(frame);
      }
      return otherwise == null ? new Undefined("the missing else of an inline if") : otherwise.evaluate(frame);
    }
  }

  /** Arithmetic and {@code ~}. */
  record Arithmetic(String operator, Expression left, Expression right, int line) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      frame.budget().step();
      try {
        return Values.arithmetic(operator, left.evaluate(frame), right.evaluate(frame), frame.budget());
      } catch (JinjaException e) {
        throw e.at(line);
      }
    }
  }

  record Negative(Expression value, int line) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      frame.budget().step();
      try {
        return Values.arithmetic("-", 0L, value.evaluate(frame), frame.budget());
      } catch (JinjaException e) {
        throw e.at(line);
      }
    }
  }

  /** {@code a < b <= c}: true if every neighbouring pair compares so. */
  record Comparison(Expression first, List<String> operators, List<Expression> others, int line) implements Expression {
    @Override
    public Object evaluate(Frame frame) {
      frame.budget().step();
      try {
        Object left = first.evaluate(frame);
        for (int i = 0; i < operators.size(); i++) {
          Object right = others.get(i).evaluate(frame);
          if (!Values.compare(operators.get(i), left, right, frame.budget())) {
            return false;
          }
          left = right;
        }
        return true;
      } catch (JinjaException e) {
        throw e.at(line);
      }
    }
  }
}
