/** Whether and when the reference model follows the policy. A file each. */
package io.github.grpo4j.grpo.loss.reference;
