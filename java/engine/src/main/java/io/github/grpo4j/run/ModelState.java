package io.github.grpo4j.run;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.model.ModelWeights;
import java.nio.file.Path;

/**
 * A model as a run saves and loads it.
 *
 * @param weights on the back end
 * @param source the directory that it came from; its tokenizer and configuration files go along with saved weights
 */
public record ModelState(Backend backend, ModelWeights weights, Path source) {}
