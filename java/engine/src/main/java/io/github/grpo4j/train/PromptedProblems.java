package io.github.grpo4j.train;

import io.github.grpo4j.data.DataException;
import io.github.grpo4j.data.Dataset;
import io.github.grpo4j.data.Problem;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Problems with their prompts as token ids, rendered once when the data is loaded. */
public final class PromptedProblems {
  private final Dataset dataset;
  private final List<int[]> prompts;
  private final int longest;

  private PromptedProblems(Dataset dataset, List<int[]> prompts, int longest) {
    this.dataset = dataset;
    this.prompts = prompts;
    this.longest = longest;
  }

  /**
   * @param render a problem's prompt as token ids
   * @param maxPromptTokens longest prompt allowed
   * @throws DataException naming the first problem whose prompt is longer
   */
  public static PromptedProblems render(Dataset dataset, Function<Problem, int[]> render, int maxPromptTokens) {
    List<int[]> prompts = new ArrayList<>(dataset.size());
    int longest = 0;
    for (Problem problem : dataset) {
      int[] ids = render.apply(problem);
      if (ids.length > maxPromptTokens) {
        throw new DataException("problem " + problem.index() + " of " + dataset.name() + " has a prompt of " + ids.length
            + " tokens, more than data.max_prompt_tokens = " + maxPromptTokens + "; raise that option or leave the problem out");
      }
      longest = Math.max(longest, ids.length);
      prompts.add(ids);
    }
    return new PromptedProblems(dataset, prompts, longest);
  }

  public Dataset dataset() {
    return dataset;
  }

  public int size() {
    return prompts.size();
  }

  /** The problem at a position. */
  public Problem problem(int position) {
    return dataset.get(position);
  }

  /** Its prompt; not to be changed. */
  public int[] prompt(int position) {
    return prompts.get(position);
  }

  /** Tokens of the longest prompt. */
  public int longestPrompt() {
    return longest;
  }
}
