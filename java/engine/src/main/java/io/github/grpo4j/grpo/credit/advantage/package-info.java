/** What a comparison of rewards gives. */
package io.github.grpo4j.grpo.credit.advantage;
