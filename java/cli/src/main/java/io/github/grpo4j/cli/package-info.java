/**
 * The {@code grpo4j} command: one class per subcommand, tables and progress on the terminal, JSON lines for programs. What the commands
 * do is in the engine.
 */
package io.github.grpo4j.cli;
