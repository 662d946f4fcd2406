package io.github.grpo4j.jinja;

/** What a name, key or index that does not exist evaluates to: false, printed as nothing, an error in any other use. */
record Undefined(String what) {
  JinjaException error() {
    return new JinjaException(what + " is undefined");
  }
}
