package io.github.grpo4j.jinja;

import io.github.grpo4j.jinja.Token.Kind;
import java.util.List;

/** The tokens of a template, read from front to back. */
final class TokenStream {
  private static final int DEEPEST = 100;

  private final List<Token> tokens;
  private int position;
  private int depth;

  TokenStream(List<Token> tokens) {
    this.tokens = tokens;
  }

  Token current() {
    return tokens.get(position);
  }

  /** The token after the current one. */
  Token following() {
    return tokens.get(Math.min(position + 1, tokens.size() - 1));
  }

  Token next() {
    Token token = current();
    if (!token.is(Kind.END)) {
      position++;
    }
    return token;
  }

  boolean skipOperator(String operator) {
    return skipIf(current().isOperator(operator));
  }

  boolean skipName(String name) {
    return skipIf(current().isName(name));
  }

  private boolean skipIf(boolean matches) {
    if (matches) {
      next();
    }
    return matches;
  }

  Token expect(Kind kind, String what) {
    if (!current().is(kind)) {
      throw unexpected(what);
    }
    return next();
  }

  void expectOperator(String operator) {
    if (!skipOperator(operator)) {
      throw unexpected("'" + operator + "'");
    }
  }

  JinjaException unexpected(String wanted) {
    return new JinjaException(current().line(), "expected " + wanted + ", found " + current().text());
  }

  /** Counts nesting, so that a template of a million brackets is an error and not the end of the stack. */
  void enter() {
    if (++depth > DEEPEST) {
      throw new JinjaException(current().line(), "the template is nested more than " + DEEPEST + " deep");
    }
  }

  void leave() {
    depth--;
  }
}
