package io.github.grpo4j.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A node of the syntax tree that writes text, changes variables, or decides what else does. */
sealed interface Statement {
  /** How a block ended: at its end, or at a {@code break} or {@code continue} for the loop around it. */
  enum Flow {
    NEXT,
    BREAK,
    CONTINUE
  }

  Flow execute(Frame frame);

  static Flow executeAll(List<Statement> statements, Frame frame) {
    for (Statement statement : statements) {
      frame.budget().step();
      Flow flow = statement.execute(frame);
      if (flow != Flow.NEXT) {
        return flow;
      }
    }
    return Flow.NEXT;
  }

  record Text(String text) implements Statement {
    @Override
    public Flow execute(Frame frame) {
      frame.write(text);
      return Flow.NEXT;
    }
  }

  /** <code>{{ value }}</code> */
  record Output(Expression value) implements Statement {
    @Override
    public Flow execute(Frame frame) {
      frame.write(PythonText.str(value.evaluate(frame)));
      return Flow.NEXT;
    }
  }

  record If(List<Expression> conditions, List<List<Statement>> branches, List<Statement> otherwise) implements Statement {
    @Override
    public Flow execute(Frame frame) {
      for (int i = 0; i < conditions.size(); i++) {
        if (Values.isTrue(conditions.get(i).evaluate(frame))) {
          return executeAll(branches.get(i), frame);
        }
      }
      return executeAll(otherwise, frame);
    }
  }

  /** {@code for targets in items if condition … else … endfor}; the condition chooses items before the loop counts them. */
  record For(
      List<String> targets, Expression items, Expression condition, List<Statement> body, List<Statement> otherwise, int line)
      implements Statement {
    @Override
    public Flow execute(Frame frame) {
      List<Object> chosen = new ArrayList<>();
      try {
        for (Object item : Values.iterate(items.evaluate(frame), frame.budget())) {
          if (condition == null || Values.isTrue(condition.evaluate(bind(frame.inner(), item)))) {
            chosen.add(item);
          }
        }
        if (chosen.isEmpty()) {
          return executeAll(otherwise, frame.inner());
        }
        for (int i = 0; i < chosen.size(); i++) {
          frame.budget().step();
          Frame inner = bind(frame.inner(), chosen.get(i));
          inner.set("loop", new Loop(chosen, i));
          if (executeAll(body, inner) == Flow.BREAK) {
            break;
          }
        }
      } catch (JinjaException e) {
        throw e.at(line);
      }
      return Flow.NEXT;
    }

    private Frame bind(Frame inner, Object item) {
      if (targets.size() == 1) {
        inner.set(targets.get(0), item);
        return inner;
      }
      List<Object> parts = Values.iterate(item, inner.budget());
      if (parts.size() != targets.size()) {
        throw new JinjaException("cannot unpack " + parts.size() + " values into " + targets);
      }
      for (int i = 0; i < parts.size(); i++) {
        inner.set(targets.get(i), parts.get(i));
      }
      return inner;
    }
  }

  /** The variable {@code loop}; {@code index} counts from 0 here. */
  record Loop(List<Object> items, int index) {
    Object get(String name) {
      int size = items.size();
      return switch (name) {
        case "index" -> index + 1L;
        case "index0" -> (long) index;
        case "revindex" -> (long) size - index;
        case "revindex0" -> size - index - 1L;
        case "first" -> index == 0;
        case "last" -> index == size - 1;
        case "length" -> (long) size;
        case "previtem" -> index > 0 ? items.get(index - 1) : new Undefined("there is no previous item");
        case "nextitem" -> index < size - 1 ? items.get(index + 1) : new Undefined("there is no next item");
        case "cycle" -> (Callable) (arguments, budget) -> arguments.positional().get(index % arguments.positional().size());
        default -> throw new JinjaException("loop." + name + " is not supported");
      };
    }
  }

  /** {@code set a, b = value}, or {@code set namespace.name = value} where {@code namespace} is not null. */
  record Set(String namespace, List<String> targets, Expression value, int line) implements Statement {
    @Override
    public Flow execute(Frame frame) {
      Object result = value.evaluate(frame);
      if (namespace != null) {
        if (!(frame.get(namespace) instanceof Namespace object)) {
          throw new JinjaException(line, "only a namespace can be assigned to, '" + namespace + "' is none");
        }
        object.values().put(targets.get(0), result);
      } else if (targets.size() == 1) {
        frame.set(targets.get(0), result);
      } else {
        List<Object> parts = Values.iterate(result, frame.budget());
        if (parts.size() != targets.size()) {
          throw new JinjaException(line, "cannot unpack " + parts.size() + " values into " + targets);
        }
        for (int i = 0; i < parts.size(); i++) {
          frame.set(targets.get(i), parts.get(i));
        }
      }
      return Flow.NEXT;
    }
  }

  /** {@code {% set name %} … {% endset %}}; {@code filters} is the filter chain over {@link #BODY}, or just that name. */
  record SetBlock(String target, Expression filters, List<Statement> body) implements Statement {
    /** A name no template can write. */
    static final String BODY = " body";

    @Override
    public Flow execute(Frame frame) {
      Frame inner = frame.capturing();
      executeAll(body, inner);
      inner.set(BODY, inner.output());
      frame.set(target, filters.evaluate(inner));
      return Flow.NEXT;
    }
  }

  /** {@code macro name(parameters)}; a parameter without default has a null one. */
  record Macro(String name, Map<String, Expression> parameters, List<Statement> body, int line) implements Statement {
    @Override
    public Flow execute(Frame frame) {
      frame.set(name, (Callable) (arguments, budget) -> call(frame, arguments, budget));
      return Flow.NEXT;
    }

    private String call(Frame defined, Callable.Arguments arguments, Budget budget) {
      List<String> names = new ArrayList<>(parameters.keySet());
      arguments.atMost("macro " + name, names.size(), names.toArray(String[]::new));
      budget.enterCall();
      try {
        Frame inner = defined.capturing();
        for (int i = 0; i < names.size(); i++) {
          String parameter = names.get(i);
          Expression otherwise = parameters.get(parameter);
          Object value = arguments.get(i, parameter, null);
          boolean given = i < arguments.positional().size() || arguments.named().containsKey(parameter);
          if (!given) {
            value = otherwise == null ? new Undefined("parameter '" + parameter + "'") : otherwise.evaluate(inner);
          }
          inner.set(parameter, value);
        }
        executeAll(body, inner);
        return inner.output();
      } finally {
        budget.leaveCall();
      }
    }
  }

  /** {@code generation … endgeneration}: marks what the model wrote, for masks that are not made from text here. */
  record Block(List<Statement> body) implements Statement {
    @Override
    public Flow execute(Frame frame) {
      return executeAll(body, frame);
    }
  }

  record Jump(Flow flow) implements Statement {
    @Override
    public Flow execute(Frame frame) {
      return flow;
    }
  }
}
