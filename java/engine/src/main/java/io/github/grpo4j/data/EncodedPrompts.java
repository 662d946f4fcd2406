package io.github.grpo4j.data;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** The problems of a data set with the token ids of their prompts, none longer than a limit. */
public final class EncodedPrompts {
  /** A problem and its prompt; the array belongs to this record and must not be changed. */
  public record Prompt(Problem problem, int[] ids) {}

  private final List<Prompt> prompts;
  private final int skipped;
  private final int longest;

  private EncodedPrompts(List<Prompt> prompts, int skipped, int longest) {
    this.prompts = List.copyOf(prompts);
    this.skipped = skipped;
    this.longest = longest;
  }

  /**
   * Encodes every problem of a data set.
   *
   * @param encode a question to the token ids of its whole prompt
   * @param maxPromptTokens the option {@code data.max_prompt_tokens}
   * @param overlong the option {@code data.overlong_prompts}
   * @throws DataException if a prompt is too long and that is an error, or all are
   */
  public static EncodedPrompts of(Dataset data, Function<String, int[]> encode, int maxPromptTokens, OverlongPrompts overlong) {
    List<Prompt> prompts = new ArrayList<>(data.size());
    int skipped = 0;
    int longest = 0;
    for (Problem problem : data) {
      int[] ids = encode.apply(problem.question());
      if (ids.length <= maxPromptTokens) {
        prompts.add(new Prompt(problem, ids));
        longest = Math.max(longest, ids.length);
      } else if (overlong == OverlongPrompts.SKIP) {
        skipped++;
      } else {
        throw new DataException(
            "The prompt of problem " + problem.index() + " of " + data.name() + " has " + ids.length
                + " tokens, more than data.max_prompt_tokens = " + maxPromptTokens
                + ": raise that, or set data.overlong_prompts to skip.");
      }
    }
    if (prompts.isEmpty()) {
      throw new DataException(
          "All " + skipped + " prompts of " + data.name() + " have more tokens than data.max_prompt_tokens = " + maxPromptTokens + ".");
    }
    return new EncodedPrompts(prompts, skipped, longest);
  }

  public int size() {
    return prompts.size();
  }

  /** The prompt at a position, 0 … size−1; its problem keeps the index it has in the data set. */
  public Prompt get(int position) {
    return prompts.get(position);
  }

  /** How many problems were left out. */
  public int skipped() {
    return skipped;
  }

  /** Tokens of the longest prompt. */
  public int longest() {
    return longest;
  }
}
