package io.github.grpo4j.jinja;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A parsed template. Rendering keeps no state in it, so threads may share one.
 *
 * <pre>{@code
 * JinjaTemplate.parse("{% for m in messages %}{{ m.role }}: {{ m.content | trim }}\n{% endfor %}")
 *     .render(Map.of("messages", List.of(Map.of("role", "user", "content", " Hi "))));  // "user: Hi\n"
 * }</pre>
 */
public final class JinjaTemplate {
  private static final int LONGEST = 1 << 20;

  private final List<Statement> statements;

  private JinjaTemplate(List<Statement> statements) {
    this.statements = statements;
  }

  /** @throws JinjaException if the template is not valid or uses something that is not supported */
  public static JinjaTemplate parse(String source) {
    if (source.length() > LONGEST) {
      throw new JinjaException("the template has " + source.length() + " characters; more than " + LONGEST + " are not read");
    }
    return new JinjaTemplate(Parser.parse(source));
  }

  /**
   * The template's text for some variables.
   *
   * @param variables strings, numbers, booleans, null, and lists and maps of such
   * @throws JinjaException if the template fails, calls {@code raise_exception}, or exceeds its budget
   */
  public String render(Map<String, ?> variables) {
    Map<String, Object> all = new HashMap<>(Functions.ALL);
    variables.forEach((name, value) -> all.put(name, Values.copy(value)));
    Frame frame = new Frame(all, new Budget());
    try {
      if (Statement.executeAll(statements, frame) != Statement.Flow.NEXT) {
        throw new JinjaException("break or continue outside of a loop");
      }
    } catch (StackOverflowError e) {
      // The parser bounds nesting, but a chain such as a+a+…+a is as deep as it is long.
      throw new JinjaException("the template nests expressions too deep");
    } catch (ArithmeticException e) {
      throw new JinjaException("a number in the template grows too large");
    }
    return frame.output();
  }
}
