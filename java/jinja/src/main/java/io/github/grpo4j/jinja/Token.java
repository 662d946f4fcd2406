package io.github.grpo4j.jinja;

/**
 * @param text a name, operator or number as written; the value of a string; the characters of template text
 * @param line from 1
 */
record Token(Kind kind, String text, int line) {
  enum Kind {
    TEXT,
    /** <code>{{</code> and <code>}}</code> */
    OUTPUT_BEGIN,
    OUTPUT_END,
    /** <code>{%</code> and <code>%}</code> */
    BLOCK_BEGIN,
    BLOCK_END,
    NAME,
    STRING,
    INTEGER,
    FLOAT,
    OPERATOR,
    END
  }

  boolean is(Kind other) {
    return kind == other;
  }

  boolean isOperator(String operator) {
    return kind == Kind.OPERATOR && text.equals(operator);
  }

  boolean isName(String name) {
    return kind == Kind.NAME && text.equals(name);
  }
}
