package io.github.grpo4j.bench;

import io.github.grpo4j.model.ModelConfig;
import io.github.grpo4j.rollout.RolloutRequest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** The prompts that are measured with, and the figure that repeated measurements give. */
final class Workload {
  private Workload() {}

  /** Prompts of random tokens, each of its own, so that no two share anything. */
  static List<RolloutRequest> requests(ModelConfig model, int prompts, int promptTokens, int completions) {
    SplittableRandom random = new SplittableRandom(1);
    List<RolloutRequest> requests = new ArrayList<>();
    for (int i = 0; i < prompts; i++) {
      int[] ids = new int[promptTokens];
      Arrays.setAll(ids, t -> random.nextInt(model.vocabSize()));
      requests.add(new RolloutRequest(i, ids, completions));
    }
    return requests;
  }

  static double median(List<Double> values) {
    double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  static void require(boolean holds, String what, int value, String must) {
    if (!holds) {
      throw new IllegalArgumentException(what + " is " + value + "; it must be " + must);
    }
  }
}
