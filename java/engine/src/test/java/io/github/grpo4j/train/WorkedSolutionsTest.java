package io.github.grpo4j.train;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.data.Problem;
import io.github.grpo4j.data.SyntheticArithmetic;
import io.github.grpo4j.session.RunInputs;
import io.github.grpo4j.text.Tokenizer;
import io.github.grpo4j.update.GradientPass.Sample;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class WorkedSolutionsTest {
  private static final RunConfig CONFIG = ConfigLoader.parse("""
      model: {path: "builtin:tiny"}
      data: {kind: synthetic, train_limit: 5, eval_limit: 1, max_prompt_tokens: 96}
      prompt: {chat: false, system: "", user: "Q {question}\\n", response_prefix: "A"}
      training: {seed: 7}
      sft: {slip_share: 0.5}
      """, "test", List.of());

  @Test
  void theSolutionAndTheEndOfSequenceAreTargetsAndThePromptIsNot() {
    List<Problem> problems = SyntheticArithmetic.demonstrations(7, 5, 0.5).problems();
    try (RunInputs inputs = RunInputs.open(CONFIG)) {
      Tokenizer tokenizer = inputs.session().tokenizer();
      List<Sample> samples = WorkedSolutions.read(inputs).samples();
      assertEquals(5, samples.size());
      for (int i = 0; i < samples.size(); i++) {
        int[] ids = samples.get(i).ids();
        int first = samples.get(i).firstTarget();
        assertEquals("Q " + problems.get(i).question() + "\nA", tokenizer.decode(Arrays.copyOf(ids, first)));
        assertEquals(problems.get(i).solution() + "<|im_end|>", tokenizer.decode(Arrays.copyOfRange(ids, first, ids.length)));
      }
    }
  }
}
