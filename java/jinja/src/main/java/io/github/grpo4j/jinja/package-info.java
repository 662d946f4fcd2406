/**
 * Jinja as chat templates use it: Python values and Jinja2's rules, to the byte, over plain data.
 *
 * <pre>
 *   source ── Lexer ── tokens ── Parser ── Statement, Expression ── execute in Frames ── text
 * </pre>
 *
 * <p>Templates come with downloaded models, so they are untrusted programs. They can reach nothing but the values they are given
 * (strings, numbers, booleans, lists, maps, null) and the filters, tests and methods listed in {@link
 * io.github.grpo4j.jinja.Filters}, {@link io.github.grpo4j.jinja.Tests} and {@link
 * io.github.grpo4j.jinja.Methods}; every step and every character they produce counts against a {@link
 * io.github.grpo4j.jinja.Budget}. What is not supported is an error with its line, never an approximation.
 *
 * <p>Jinjava, the usual Jinja library for Java, was tried and differs from Jinja2 in ways no setting changes: blanks before a
 * block in the middle of a line are lost, the text "false" counts as false, none joined to text reads "null", a loop's {@code
 * if} is taken for an inline if. In a prompt each of these is a silent change of what the model sees.
 */
package io.github.grpo4j.jinja;
