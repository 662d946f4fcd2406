/** The file format of weights: header, types, reading by mapping, writing. */
package io.github.grpo4j.model.safetensors;
