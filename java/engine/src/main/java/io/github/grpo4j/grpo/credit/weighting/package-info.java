/** How much the advantages of a question count, by how hard it is. */
package io.github.grpo4j.grpo.credit.weighting;
