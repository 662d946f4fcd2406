/** What every back end does alike: checks of operands before a kernel runs, and moves between Java arrays and memory at an address. */
package io.github.grpo4j.backend.kernel;
