/** The op catalogue on this machine's processor. {@code CpuOps}, generated from {@code grpo4j/ops.h}, calls the C++ kernels. */
package io.github.grpo4j.backend.cpu;
