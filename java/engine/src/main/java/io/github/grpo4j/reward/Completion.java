package io.github.grpo4j.reward;

import io.github.grpo4j.reward.parse.Tags;
import java.util.Objects;

/**
 * One finished or cut-off answer, as plain text.
 *
 * @param question the problem as the data set states it
 * @param goldAnswer the right final answer, or a solution that ends with {@code #### answer}
 * @param responsePrefix what the prompt already put into the model's mouth ("&lt;think&gt;"), may be empty
 * @param response what the model wrote after it, without the end-of-sequence token
 * @param finished true if the model ended the answer itself, false if the length limit did
 * @param tokens length of the response in tokens, the end-of-sequence token included
 */
public record Completion(
    String question, String goldAnswer, String responsePrefix, String response, boolean finished, int tokens) {
  public Completion {
    Objects.requireNonNull(question, "question");
    Objects.requireNonNull(goldAnswer, "goldAnswer");
    Objects.requireNonNull(responsePrefix, "responsePrefix");
    Objects.requireNonNull(response, "response");
  }

  /** The response as the reader of a chat sees it: a think block that the prompt opened begins inside the text. */
  public String textWithOpenedThinkBlock() {
    return responsePrefix.stripTrailing().endsWith(Tags.THINK_OPEN) ? Tags.THINK_OPEN + response : response;
  }

  /** The number after the last {@code ####} of {@link #goldAnswer}, or all of it if there is none. */
  public String finalGoldAnswer() {
    int marker = goldAnswer.lastIndexOf("####");
    return (marker < 0 ? goldAnswer : goldAnswer.substring(marker + 4)).strip();
  }
}
