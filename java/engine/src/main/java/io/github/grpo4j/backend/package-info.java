/**
 * The op catalogue as an interface, the tensors it works on, and the settings of its ops. What stands above composes models and
 * algorithms from it and does not know which device computes.
 */
package io.github.grpo4j.backend;
