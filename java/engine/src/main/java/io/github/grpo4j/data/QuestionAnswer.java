package io.github.grpo4j.data;

/**
 * One row of a file in GSM8K's form: a question and a worked answer whose last line is {@code #### N} (Cobbe et al. 2021,
 * arXiv:2110.14168).
 *
 * @param place where the row stands, as a message would name it: {@code train.jsonl:17}
 */
record QuestionAnswer(String question, String answer, String place) {
  private static final String MARK = "####";

  /** The final answer is what follows the last {@code ####}, without surrounding blanks. */
  Problem toProblem(int index) {
    int mark = answer.lastIndexOf(MARK);
    if (mark < 0) {
      throw new DataException(place + ": the answer has no \"" + MARK + " N\" line, so the final answer is unknown.");
    }
    String last = answer.substring(mark + MARK.length()).strip();
    if (last.isEmpty()) {
      throw new DataException(place + ": nothing follows \"" + MARK + "\" in the answer, so the final answer is unknown.");
    }
    return new Problem(index, question, last, answer);
  }
}
