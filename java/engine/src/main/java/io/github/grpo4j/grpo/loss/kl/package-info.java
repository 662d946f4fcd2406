/** Measures of how far the policy is from the reference model. A file each. */
package io.github.grpo4j.grpo.loss.kl;
