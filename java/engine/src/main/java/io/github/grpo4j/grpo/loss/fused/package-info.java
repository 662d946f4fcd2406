/** Which losses the back ends' fused kernel computes in one pass; the terms stay the definition. */
package io.github.grpo4j.grpo.loss.fused;
