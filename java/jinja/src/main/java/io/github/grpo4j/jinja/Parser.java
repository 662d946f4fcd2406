package io.github.grpo4j.jinja;

import io.github.grpo4j.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Statements: what stands in <code>{% %}</code>, and the text and outputs between. */
final class Parser {
  private final TokenStream tokens;
  private final ExpressionParser expressions;

  private Parser(List<Token> tokens) {
    this.tokens = new TokenStream(tokens);
    this.expressions = new ExpressionParser(this.tokens);
  }

  static List<Statement> parse(String template) {
    Parser parser = new Parser(Lexer.tokens(template));
    List<Statement> statements = parser.statements();
    if (!parser.tokens.current().is(Kind.END)) {
      parser.tokens.next();
      throw new JinjaException(parser.tokens.current().line(), "{% " + parser.tokens.current().text() + " %} closes nothing");
    }
    return statements;
  }

  /** Statements up to the end, or up to a tag that only closes or continues a block, which is not consumed. */
  private List<Statement> statements() {
    List<Statement> statements = new ArrayList<>();
    while (true) {
      Token token = tokens.current();
      switch (token.kind()) {
        case TEXT -> statements.add(new Statement.Text(tokens.next().text()));
        case OUTPUT_BEGIN -> {
          tokens.next();
          statements.add(new Statement.Output(expressions.tuple()));
          tokens.expect(Kind.OUTPUT_END, "}}");
        }
        case BLOCK_BEGIN -> {
          String name = tokens.following().text();
          if (name.startsWith("end") || name.equals("else") || name.equals("elif")) {
            return statements;
          }
          tokens.next();
          statements.add(statement(tokens.expect(Kind.NAME, "the name of a block")));
        }
        default -> {
          return statements;
        }
      }
    }
  }

  private Statement statement(Token name) {
    tokens.enter();
    Statement statement = switch (name.text()) {
      case "if" -> ifStatement(name);
      case "for" -> forStatement(name);
      case "set" -> set(name);
      case "macro" -> macro(name);
      case "generation" -> new Statement.Block(body(name));
      case "break" -> jump(Statement.Flow.BREAK);
      case "continue" -> jump(Statement.Flow.CONTINUE);
      default -> throw new JinjaException(name.line(), "{% " + name.text() + " %} is not supported in a chat template");
    };
    tokens.leave();
    return statement;
  }

  private Statement jump(Statement.Flow flow) {
    endOfTag();
    return new Statement.Jump(flow);
  }

  private void endOfTag() {
    tokens.expect(Kind.BLOCK_END, "%}");
  }

  /** From the end of an opening tag to the end of its closing tag. */
  private List<Statement> body(Token opening) {
    endOfTag();
    List<Statement> body = statements();
    close(opening);
    return body;
  }

  private void close(Token opening) {
    if (!skipTag("end" + opening.text())) {
      throw new JinjaException(opening.line(), "{% " + opening.text() + " %} is not closed by {% end" + opening.text() + " %}");
    }
    endOfTag();
  }

  /** Consumes <code>{% name</code> if that is what comes next. */
  private boolean skipTag(String name) {
    if (tokens.current().is(Kind.BLOCK_BEGIN) && tokens.following().isName(name)) {
      tokens.next();
      tokens.next();
      return true;
    }
    return false;
  }

  private Statement ifStatement(Token opening) {
    List<Expression> conditions = new ArrayList<>();
    List<List<Statement>> branches = new ArrayList<>();
    List<Statement> otherwise = List.of();
    do {
      conditions.add(expressions.tuple());
      endOfTag();
      branches.add(statements());
    } while (skipTag("elif"));
    if (skipTag("else")) {
      endOfTag();
      otherwise = statements();
    }
    close(opening);
    return new Statement.If(conditions, branches, otherwise);
  }

  private Statement forStatement(Token opening) {
    List<String> targets = targets();
    if (!tokens.skipName("in")) {
      throw tokens.unexpected("'in'");
    }
    Expression items = expressions.loopItems();
    Expression condition = tokens.skipName("if") ? expressions.expression() : null;
    endOfTag();
    List<Statement> body = statements();
    List<Statement> otherwise = List.of();
    if (skipTag("else")) {
      endOfTag();
      otherwise = statements();
    }
    close(opening);
    return new Statement.For(targets, items, condition, body, otherwise, opening.line());
  }

  private List<String> targets() {
    boolean bracketed = tokens.skipOperator("(");
    List<String> targets = new ArrayList<>();
    do {
      targets.add(tokens.expect(Kind.NAME, "a variable").text());
    } while (tokens.skipOperator(","));
    if (bracketed) {
      tokens.expectOperator(")");
    }
    return targets;
  }

  private Statement set(Token opening) {
    if (tokens.following().isOperator(".")) {
      String namespace = tokens.expect(Kind.NAME, "a variable").text();
      tokens.next();
      String attribute = tokens.expect(Kind.NAME, "an attribute").text();
      tokens.expectOperator("=");
      return assignment(namespace, List.of(attribute), opening);
    }
    List<String> targets = targets();
    if (tokens.skipOperator("=")) {
      return assignment(null, targets, opening);
    }
    if (targets.size() != 1) {
      throw tokens.unexpected("'='");
    }
    Expression filters = expressions.filters(new Expression.Name(Statement.SetBlock.BODY));
    return new Statement.SetBlock(targets.get(0), filters, body(opening));
  }

  private Statement assignment(String namespace, List<String> targets, Token opening) {
    Expression value = expressions.tuple();
    endOfTag();
    return new Statement.Set(namespace, targets, value, opening.line());
  }

  private Statement macro(Token opening) {
    String name = tokens.expect(Kind.NAME, "the name of the macro").text();
    Map<String, Expression> parameters = new LinkedHashMap<>();
    tokens.expectOperator("(");
    while (!tokens.skipOperator(")")) {
      if (!parameters.isEmpty()) {
        tokens.expectOperator(",");
      }
      String parameter = tokens.expect(Kind.NAME, "a parameter").text();
      Expression otherwise = tokens.skipOperator("=") ? expressions.expression() : null;
      if (otherwise == null && parameters.values().stream().anyMatch(Objects::nonNull)) {
        throw new JinjaException(opening.line(), "parameter " + parameter + " needs a default, as one before it has");
      }
      parameters.put(parameter, otherwise);
    }
    return new Statement.Macro(name, parameters, body(opening), opening.line());
  }
}
