/** How the losses of tokens become one number. A file each. */
package io.github.grpo4j.grpo.loss.aggregation;
