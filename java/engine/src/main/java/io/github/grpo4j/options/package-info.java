/**
 * What a configurable record needs: a {@link io.github.grpo4j.options.Registry} of the kinds of a choice and
 * {@link io.github.grpo4j.options.Check} for the ranges of its values.
 *
 * <p>A record is its own configuration. {@code record PpoClip(double low, double high)} is what
 * {@code surrogate: {kind: ppo, low: 0.2, high: 0.28}} fills: keys are the components in snake_case, and the constructor
 * without arguments gives the defaults, which are also what a bare {@code surrogate: ppo} means. The canonical constructor
 * checks the values; its messages begin with the key, and whoever reads a configuration adds file, line and path.
 *
 * <p>Knows nothing of files, YAML or any other package.
 */
package io.github.grpo4j.options;
