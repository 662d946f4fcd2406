/** What a run remembers beside its weights and optimizer: parts of it implement {@link io.github.grpo4j.state.StepState}. */
package io.github.grpo4j.state;
