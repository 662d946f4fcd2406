/** What stands for the reward in the gradient: functions of the probability ratio and the advantage. A file each. */
package io.github.grpo4j.grpo.loss.surrogate;
