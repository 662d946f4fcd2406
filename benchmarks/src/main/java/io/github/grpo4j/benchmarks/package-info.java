/** JMH benchmarks of single kernels, of decoding and of a training step. {@code benchmarks/run.sh} builds and runs them. */
package io.github.grpo4j.benchmarks;
