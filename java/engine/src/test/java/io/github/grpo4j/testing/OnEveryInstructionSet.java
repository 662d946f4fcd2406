package io.github.grpo4j.testing;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A test with one parameter, a {@code CpuBackend.Isa}: runs on each instruction set of a CPU, on a GPU once. */
@Target(ElementType.METHOD)
@Retention(RetentionPolicy.RUNTIME)
@ParameterizedTest
@MethodSource("io.github.grpo4j.testing.TestBackends#instructionSets")
public @interface OnEveryInstructionSet {}
