package io.github.grpo4j.data;

import java.util.Objects;

/**
 * One question with a known final answer.
 *
 * @param index position in the data set as it was read. It stays with the problem when others are skipped or a prefix is
 *     taken, so that random numbers and statistics keyed by it do not move.
 * @param question what is asked, without any prompt around it
 * @param answer the final answer as the data set writes it (GSM8K: the text after {@code ####}, commas included)
 * @param solution the worked solution, final answer included, as supervised training would teach it; null where the data set
 *     has none
 */
public record Problem(int index, String question, String answer, String solution) {
  public Problem {
    if (index < 0) {
      throw new IllegalArgumentException("problem index " + index + " is negative");
    }
    Objects.requireNonNull(question, "question");
    Objects.requireNonNull(answer, "answer");
  }

  /** The same problem taught by another solution; question, answer and index stay. */
  public Problem withSolution(String other) {
    return new Problem(index, question, answer, other);
  }
}
