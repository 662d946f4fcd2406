/** Which completions are compared with each other. */
package io.github.grpo4j.grpo.credit.grouping;
