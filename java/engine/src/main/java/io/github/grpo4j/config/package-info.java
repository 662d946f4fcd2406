/**
 * The options of a run: one record per group of {@code config.yaml}, each with its defaults and the ranges of its values.
 *
 * <p>{@link io.github.grpo4j.config.ConfigLoader} reads YAML into a {@link io.github.grpo4j.config.RunConfig}. Keys
 * are the record components in snake_case. Nothing secret belongs here: keys of services come from the environment.
 */
package io.github.grpo4j.config;
