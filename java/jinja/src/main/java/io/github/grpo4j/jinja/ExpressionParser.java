package io.github.grpo4j.jinja;

import io.github.grpo4j.jinja.Expression.Call;
import io.github.grpo4j.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Expressions by recursive descent, one method a level of precedence, weakest first. The levels are Jinja2's, which differ from
 * Python's in two places: {@code ~} binds tighter than {@code +}, and filters and {@code is} bind tighter than all arithmetic.
 */
final class ExpressionParser {
  private final TokenStream tokens;

  ExpressionParser(TokenStream tokens) {
    this.tokens = tokens;
  }

  /** A whole expression; several with commas between them are a tuple. */
  Expression tuple() {
    return tupleOf(expression());
  }

  /** What a {@code for} goes through: no inline if, since {@code if} there begins the loop's own condition. */
  Expression loopItems() {
    tokens.enter();
    Expression items = tupleOf(or());
    tokens.leave();
    return items;
  }

  private Expression tupleOf(Expression first) {
    if (!tokens.current().isOperator(",")) {
      return first;
    }
    List<Expression> items = new ArrayList<>(List.of(first));
    while (tokens.skipOperator(",") && beginsExpression()) {
      items.add(expression());
    }
    return new Expression.ListOf(items, true);
  }

  private boolean beginsExpression() {
    Token token = tokens.current();
    return switch (token.kind()) {
      case NAME, STRING, INTEGER, FLOAT -> !token.isName("if");
      case OPERATOR -> "([{+-".contains(token.text());
      default -> false;
    };
  }

  Expression expression() {
    tokens.enter();
    Expression value = or();
    while (tokens.skipName("if")) {
      Expression condition = or();
      Expression otherwise = tokens.skipName("else") ? expression() : null;
      value = new Expression.Conditional(condition, value, otherwise);
    }
    tokens.leave();
    return value;
  }

  private Expression or() {
    Expression value = and();
    while (tokens.skipName("or")) {
      value = new Expression.Logic(false, value, and());
    }
    return value;
  }

  private Expression and() {
    Expression value = not();
    while (tokens.skipName("and")) {
      value = new Expression.Logic(true, value, not());
    }
    return value;
  }

  private Expression not() {
    if (tokens.current().isName("not")) {
      tokens.next();
      tokens.enter();
      Expression value = new Expression.Not(not());
      tokens.leave();
      return value;
    }
    return comparison();
  }

  private Expression comparison() {
    int line = tokens.current().line();
    Expression first = sum();
    List<String> operators = new ArrayList<>();
    List<Expression> others = new ArrayList<>();
    for (String operator = comparisonOperator(); operator != null; operator = comparisonOperator()) {
      operators.add(operator);
      others.add(sum());
    }
    return operators.isEmpty() ? first : new Expression.Comparison(first, operators, others, line);
  }

  private String comparisonOperator() {
    Token token = tokens.current();
    if (token.is(Kind.OPERATOR) && List.of("==", "!=", "<", "<=", ">", ">=").contains(token.text())) {
      return tokens.next().text();
    }
    if (tokens.skipName("in")) {
      return "in";
    }
    if (token.isName("not") && tokens.following().isName("in")) {
      tokens.next();
      tokens.next();
      return "not in";
    }
    return null;
  }

  private Expression sum() {
    Expression value = concatenation();
    while (tokens.current().isOperator("+") || tokens.current().isOperator("-")) {
      Token operator = tokens.next();
      value = new Expression.Arithmetic(operator.text(), value, concatenation(), operator.line());
    }
    return value;
  }

  private Expression concatenation() {
    Expression value = product();
    while (tokens.current().isOperator("~")) {
      Token operator = tokens.next();
      value = new Expression.Arithmetic("~", value, product(), operator.line());
    }
    return value;
  }

  private Expression product() {
    Expression value = power();
    while (tokens.current().is(Kind.OPERATOR) && List.of("*", "/", "//", "%").contains(tokens.current().text())) {
      Token operator = tokens.next();
      value = new Expression.Arithmetic(operator.text(), value, power(), operator.line());
    }
    return value;
  }

  private Expression power() {
    Expression value = signed(true);
    while (tokens.current().isOperator("**")) {
      Token operator = tokens.next();
      value = new Expression.Arithmetic("**", value, signed(true), operator.line());
    }
    return value;
  }

  private Expression signed(boolean withFilters) {
    Token token = tokens.current();
    if (token.isOperator("-") || token.isOperator("+")) {
      tokens.next();
      tokens.enter();
      Expression operand = signed(false);
      tokens.leave();
      Expression value = token.isOperator("-") ? new Expression.Negative(operand, token.line()) : operand;
      return withFilters ? filters(value) : value;
    }
    Expression value = postfix(primary());
    return withFilters ? filters(value) : value;
  }

  private Expression primary() {
    Token token = tokens.next();
    return switch (token.kind()) {
      case NAME -> name(token);
      case STRING -> {
        StringBuilder text = new StringBuilder(token.text());
        while (tokens.current().is(Kind.STRING)) {
          text.append(tokens.next().text());
        }
        yield new Expression.Literal(text.toString());
      }
      case INTEGER -> new Expression.Literal(integer(token));
      case FLOAT -> new Expression.Literal(Double.parseDouble(token.text()));
      case OPERATOR -> switch (token.text()) {
        case "(" -> parenthesised();
        case "[" -> new Expression.ListOf(items("]"), false);
        case "{" -> dict();
        default -> throw unexpected(token);
      };
      default -> throw unexpected(token);
    };
  }

  private static JinjaException unexpected(Token token) {
    return new JinjaException(token.line(), "expected a value, found " + token.text());
  }

  private static Expression name(Token token) {
    return switch (token.text()) {
      case "true", "True" -> new Expression.Literal(true);
      case "false", "False" -> new Expression.Literal(false);
      case "none", "None" -> new Expression.Literal(null);
      case "if", "else", "elif", "or", "and", "not", "in", "is", "for" -> throw unexpected(token);
      default -> new Expression.Name(token.text());
    };
  }

  private static long integer(Token token) {
    try {
      return Long.parseLong(token.text());
    } catch (NumberFormatException e) {
      throw new JinjaException(token.line(), "the number " + token.text() + " is too large");
    }
  }

  private Expression parenthesised() {
    if (tokens.skipOperator(")")) {
      return new Expression.ListOf(List.of(), true);
    }
    Expression value = tuple();
    tokens.expectOperator(")");
    return value;
  }

  private List<Expression> items(String close) {
    List<Expression> items = new ArrayList<>();
    while (!tokens.skipOperator(close)) {
      if (!items.isEmpty()) {
        tokens.expectOperator(",");
        if (tokens.skipOperator(close)) {
          break;
        }
      }
      items.add(expression());
    }
    return items;
  }

  private Expression dict() {
    List<Map.Entry<Expression, Expression>> entries = new ArrayList<>();
    while (!tokens.skipOperator("}")) {
      if (!entries.isEmpty()) {
        tokens.expectOperator(",");
        if (tokens.skipOperator("}")) {
          break;
        }
      }
      Expression key = expression();
      tokens.expectOperator(":");
      entries.add(Map.entry(key, expression()));
    }
    return new Expression.DictOf(entries);
  }

  private Expression postfix(Expression value) {
    Expression result = value;
    while (true) {
      Token token = tokens.current();
      if (token.isOperator(".")) {
        tokens.next();
        Token name = tokens.next();
        result = switch (name.kind()) {
          case NAME -> new Expression.Attribute(result, name.text(), name.line());
          case INTEGER -> new Expression.Item(result, new Expression.Literal(integer(name)), name.line());
          default -> throw new JinjaException(name.line(), "expected a name after '.', found " + name.text());
        };
      } else if (token.isOperator("[")) {
        tokens.next();
        result = subscript(result, token.line());
      } else if (token.isOperator("(")) {
        result = new Expression.Invoke(result, call(), token.line());
      } else {
        return result;
      }
    }
  }

  private Expression subscript(Expression base, int line) {
    Expression from = tokens.current().isOperator(":") ? null : tuple();
    if (from != null && tokens.skipOperator("]")) {
      return new Expression.Item(base, from, line);
    }
    tokens.expectOperator(":");
    Expression to = slicePart();
    Expression by = tokens.skipOperator(":") ? slicePart() : null;
    tokens.expectOperator("]");
    return new Expression.Slice(base, from, to, by, line);
  }

  private Expression slicePart() {
    return tokens.current().isOperator(":") || tokens.current().isOperator("]") ? null : expression();
  }

  /** {@code (a, b, name=c)} */
  private Call call() {
    tokens.expectOperator("(");
    List<Expression> positional = new ArrayList<>();
    Map<String, Expression> named = new LinkedHashMap<>();
    while (!tokens.skipOperator(")")) {
      if (!positional.isEmpty() || !named.isEmpty()) {
        tokens.expectOperator(",");
        if (tokens.skipOperator(")")) {
          break;
        }
      }
      if (tokens.current().is(Kind.NAME) && tokens.following().isOperator("=")) {
        String name = tokens.next().text();
        tokens.next();
        named.put(name, expression());
      } else if (named.isEmpty()) {
        positional.add(expression());
      } else {
        throw tokens.unexpected("a named argument");
      }
    }
    return new Call(positional, named);
  }

  /** Any number of {@code | filter}, {@code is test} and calls. */
  Expression filters(Expression value) {
    Expression result = value;
    while (true) {
      Token token = tokens.current();
      if (token.isOperator("|")) {
        tokens.next();
        Token name = tokens.expect(Kind.NAME, "the name of a filter");
        Call call = tokens.current().isOperator("(") ? call() : Call.EMPTY;
        result = new Expression.Filtered(result, Filters.require(name), call, name.line());
      } else if (token.isName("is")) {
        tokens.next();
        result = test(result);
      } else if (token.isOperator("(")) {
        result = new Expression.Invoke(result, call(), token.line());
      } else {
        return result;
      }
    }
  }

  private Expression test(Expression value) {
    boolean negated = tokens.skipName("not");
    Token name = tokens.expect(Kind.NAME, "the name of a test");
    Call call = Call.EMPTY;
    Token token = tokens.current();
    if (token.isOperator("(")) {
      call = call();
    } else if (beginsTestArgument(token)) {
      call = new Call(List.of(postfix(primary())), Map.of());
    }
    Expression test = new Expression.Tested(value, Tests.require(name), call, name.line());
    return negated ? new Expression.Not(test) : test;
  }

  /** A test's single argument may stand without brackets: {@code x is divisibleby 3}. */
  private static boolean beginsTestArgument(Token token) {
    return switch (token.kind()) {
      case NAME -> !List.of("else", "or", "and", "if", "is", "in", "not").contains(token.text());
      case STRING, INTEGER, FLOAT -> true;
      case OPERATOR -> token.text().equals("[") || token.text().equals("{");
      default -> false;
    };
  }
}
