/** Changes of rewards before they are compared: truncated completions, similarity, divergence from the reference. */
package io.github.grpo4j.grpo.credit.shaping;
