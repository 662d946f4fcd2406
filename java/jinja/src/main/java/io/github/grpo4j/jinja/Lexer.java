package io.github.grpo4j.jinja;

import io.github.grpo4j.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Splits a template into text and the tokens of its blocks, with the white space rules chat templates are written for: Jinja2
 * with {@code trim_blocks} and {@code lstrip_blocks}.
 *
 * <ul>
 *   <li>A newline right after a block or comment is dropped, as are blanks before one that is the first thing on its line.
 *   <li>{@code -} at either end of a block, comment or output drops all white space on that side, {@code +} keeps it all.
 *   <li>One newline at the end of the template is dropped.
 * </ul>
 */
final class Lexer {
  private static final List<String> OPERATORS =
      List.of("**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "(", ")", "[", "]", "{", "}", "<", ">", "=", ".", ":", "|", ",");

  private static final Pattern NUMBER = Pattern.compile("\\d+(?:_\\d+)*(\\.\\d+(?:_\\d+)*)?([eE][+-]?\\d+(?:_\\d+)*)?");

  private final String source;
  private final List<Token> tokens = new ArrayList<>();
  private int position;
  private int line = 1;
  private boolean stripNext;

  private Lexer(String source) {
    this.source = source;
  }

  static List<Token> tokens(String template) {
    String source = template.replace("\r\n", "\n").replace('\r', '\n');
    Lexer lexer = new Lexer(source.endsWith("\n") ? source.substring(0, source.length() - 1) : source);
    lexer.template();
    return lexer.tokens;
  }

  private void template() {
    while (position < source.length()) {
      int begin = nextOpening();
      if (begin < 0) {
        text(source.length(), false, false);
        break;
      }
      char kind = source.charAt(begin + 1);
      char sign = begin + 2 < source.length() ? source.charAt(begin + 2) : ' ';
      text(begin, sign == '-', kind != '{' && sign != '+');
      advance(begin + 2 + (sign == '-' || sign == '+' ? 1 : 0));
      switch (kind) {
        case '#' -> comment();
        case '%' -> block();
        default -> code(Kind.OUTPUT_BEGIN, Kind.OUTPUT_END, "}}");
      }
    }
    tokens.add(new Token(Kind.END, "the end of the template", line));
  }

  private int nextOpening() {
    for (int i = position; i + 1 < source.length(); i++) {
      if (source.charAt(i) == '{' && "{%#".indexOf(source.charAt(i + 1)) >= 0) {
        return i;
      }
    }
    return -1;
  }

  /** Emits the text up to {@code end}, which is where a tag begins. */
  private void text(int end, boolean stripEnd, boolean stripIndent) {
    int from = position;
    int to = end;
    if (stripNext) {
      while (from < to && PythonText.isSpace(source.charAt(from))) {
        from++;
      }
    }
    if (stripEnd) {
      while (to > from && PythonText.isSpace(source.charAt(to - 1))) {
        to--;
      }
    } else if (stripIndent) {
      int indent = to;
      while (indent > position && isBlank(source.charAt(indent - 1))) {
        indent--;
      }
      // Only blanks that begin a line are indentation; right after another tag there is no line to begin.
      boolean beginsLine = indent == 0 || source.charAt(indent - 1) == '\n';
      to = beginsLine ? Math.max(from, indent) : to;
    }
    if (to > from) {
      tokens.add(new Token(Kind.TEXT, source.substring(from, to), line));
    }
    stripNext = false;
    advance(end);
  }

  private static boolean isBlank(char c) {
    return c != '\n' && PythonText.isSpace(c);
  }

  private void comment() {
    int end = source.indexOf("#}", position);
    if (end < 0) {
      throw new JinjaException(line, "a comment {# is never closed");
    }
    closing(end, true);
  }

  private void block() {
    if (!raw()) {
      code(Kind.BLOCK_BEGIN, Kind.BLOCK_END, "%}");
    }
  }

  /** {@code {% raw %} … {% endraw %}}: everything between is text. */
  private boolean raw() {
    int[] opening = rawTag(position, "raw");
    if (opening == null) {
      return false;
    }
    int begin = line;
    closing(opening[1], false);
    for (int i = source.indexOf("{%", position); i >= 0; i = source.indexOf("{%", i + 2)) {
      boolean minus = i + 2 < source.length() && source.charAt(i + 2) == '-';
      boolean plus = i + 2 < source.length() && source.charAt(i + 2) == '+';
      int[] end = rawTag(i + (minus || plus ? 3 : 2), "endraw");
      if (end != null) {
        text(i, minus, !plus);
        advance(end[0]);
        closing(end[1], true);
        return true;
      }
    }
    throw new JinjaException(begin, "{% raw %} without {% endraw %}");
  }

  /** Where the word of a raw tag ends and where its closing begins, or null if another tag is here. */
  private int[] rawTag(int from, String name) {
    int begin = from;
    while (begin < source.length() && PythonText.isSpace(source.charAt(begin))) {
      begin++;
    }
    if (!source.startsWith(name, begin)) {
      return null;
    }
    int end = begin + name.length();
    while (end < source.length() && PythonText.isSpace(source.charAt(end))) {
      end++;
    }
    int close = end < source.length() && (source.charAt(end) == '-' || source.charAt(end) == '+') ? end + 1 : end;
    return source.startsWith("%}", close) ? new int[] {begin, close} : null;
  }

  /** Steps over a closing {@code #}}, {@code %}} or <code>}}</code>, whose sign is in front of it. */
  private void closing(int at, boolean dropsNewline) {
    char sign = source.charAt(at - 1);
    advance(at + 2);
    stripNext = sign == '-';
    if (dropsNewline && sign != '+' && !stripNext && position < source.length() && source.charAt(position) == '\n') {
      advance(position + 1);
    }
  }

  private void code(Kind begin, Kind end, String close) {
    tokens.add(new Token(begin, source.substring(position - 2, position), line));
    int first = line;
    int nesting = 0;
    while (true) {
      while (position < source.length() && PythonText.isSpace(source.charAt(position))) {
        advance(position + 1);
      }
      if (position >= source.length()) {
        throw new JinjaException(first, "a tag is never closed, expected " + close);
      }
      if (nesting == 0) {
        boolean signed = "-+".indexOf(source.charAt(position)) >= 0 && source.startsWith(close, position + 1);
        int at = signed ? position + 1 : position;
        if (source.startsWith(close, at)) {
          tokens.add(new Token(end, close, line));
          closing(at, end == Kind.BLOCK_END);
          return;
        }
      }
      Token token = codeToken();
      tokens.add(token);
      if (token.is(Kind.OPERATOR)) {
        nesting += "([{".contains(token.text()) ? 1 : ")]}".contains(token.text()) ? -1 : 0;
      }
    }
  }

  private Token codeToken() {
    char c = source.charAt(position);
    if (c == '\'' || c == '"') {
      return string(c);
    }
    if (c >= '0' && c <= '9') {
      return number();
    }
    if (Character.isJavaIdentifierStart(c) && c != '$') {
      int end = position;
      while (end < source.length() && Character.isJavaIdentifierPart(source.charAt(end)) && source.charAt(end) != '$') {
        end++;
      }
      return take(Kind.NAME, end);
    }
    for (String operator : OPERATORS) {
      if (source.startsWith(operator, position)) {
        return take(Kind.OPERATOR, position + operator.length());
      }
    }
    throw new JinjaException(line, "unexpected character '" + c + "'");
  }

  private Token number() {
    Matcher number = NUMBER.matcher(source).region(position, source.length());
    if (!number.lookingAt()) {
      throw new IllegalStateException("a digit is a number");
    }
    boolean whole = number.group(1) == null && number.group(2) == null;
    Token token = take(whole ? Kind.INTEGER : Kind.FLOAT, number.end());
    return new Token(token.kind(), token.text().replace("_", ""), token.line());
  }

  private Token string(char quote) {
    int begin = line;
    StringBuilder value = new StringBuilder();
    int i = position + 1;
    for (; i < source.length() && source.charAt(i) != quote; i++) {
      if (source.charAt(i) == '\\' && i + 1 < source.length()) {
        i = escape(i, value);
      } else {
        value.append(source.charAt(i));
      }
    }
    if (i >= source.length()) {
      throw new JinjaException(begin, "a string is never closed");
    }
    advance(i + 1);
    return new Token(Kind.STRING, value.toString(), begin);
  }

  /** One of Python's escapes at {@code i}; unknown ones stay as they are. Returns the position of its last character. */
  private int escape(int i, StringBuilder value) {
    char c = source.charAt(i + 1);
    int simple = "ntrbfav0\\'\"".indexOf(c);
    if (simple >= 0 && !(c == '0' && i + 2 < source.length() && Character.isDigit(source.charAt(i + 2)))) {
      value.append("\n\t\r\b\f\u0007\u000B\0\\'\"".charAt(simple));
      return i + 1;
    }
    int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits > 0) {
      int end = Math.min(i + 2 + digits, source.length());
      String hex = source.substring(i + 2, end);
      if (!hex.matches("[0-9A-Fa-f]{" + digits + "}") || Long.parseLong(hex, 16) > Character.MAX_CODE_POINT) {
        throw new JinjaException(line, "the escape \\" + c + hex + " is not a character");
      }
      value.appendCodePoint(Integer.parseInt(hex, 16));
      return end - 1;
    }
    if (c == '\n') {
      return i + 1;
    }
    value.append('\\').append(c);
    return i + 1;
  }

  private Token take(Kind kind, int end) {
    Token token = new Token(kind, source.substring(position, end), line);
    advance(end);
    return token;
  }

  private void advance(int to) {
    for (; position < to; position++) {
      if (source.charAt(position) == '\n') {
        line++;
      }
    }
  }
}
