/**
 * An opened model with what belongs to it: back end, weights, tokenizer, data. Training, supervised warm-up and evaluation are wired
 * from the same {@link io.github.grpo4j.session.RunAssembly}, which closes all that it opened.
 */
package io.github.grpo4j.session;
