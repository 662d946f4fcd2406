package io.github.grpo4j.curriculum;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.data.BatchOrder;
import io.github.grpo4j.state.StepState;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Problems sorted by how hard they are for the model. The first pass is that of {@link NoCurriculum}; a later one is sorted by the
 * accuracies as they were when it began, so a pass is a function of them, of the seed and of its number.
 *
 * <p>A pass that leaves problems out has fewer steps, and the next one begins sooner; the run keeps its length. A problem that was
 * left out is not met again, but when all are solved none is left out.
 */
final class DifficultyOrder implements ProblemOrder, StepState {
  private final int[] problems;
  private final int batchSize;
  private final long seed;
  private final Difficulty difficulty;
  private final Ranking ranking;
  private final int stepsPerEpoch;
  private final RunningAccuracy accuracy;
  private long epoch;
  private long firstStep;
  /** Accuracies that the present pass is sorted by; null in the first one. */
  private double[] sortedBy;
  private int[] order;

  DifficultyOrder(int[] problems, int batchSize, long seed, Difficulty difficulty, Ranking ranking) {
    BatchOrder shuffled = new BatchOrder(problems.length, batchSize, seed, true);
    this.problems = problems.clone();
    this.batchSize = batchSize;
    this.seed = seed;
    this.difficulty = difficulty;
    this.ranking = ranking;
    this.stepsPerEpoch = shuffled.stepsPerEpoch();
    this.accuracy = new RunningAccuracy(problems.length, difficulty.ema());
    this.order = shuffled.order(0);
  }

  @Override
  public int stepsPerEpoch() {
    return stepsPerEpoch;
  }

  @Override
  public int[] batch(long step) {
    long begin = (step - firstStep) * batchSize;
    if (begin < 0 || begin >= order.length) {
      throw new IllegalArgumentException("step " + step + " is not of the present pass, which began with step " + firstStep);
    }
    return Arrays.copyOfRange(order, (int) begin, (int) Math.min(begin + batchSize, order.length));
  }

  @Override
  public void done(long step, double[] accuracies) {
    int[] batch = batch(step);
    for (int i = 0; i < batch.length; i++) {
      accuracy.add(batch[i], accuracies[i]);
    }
    if ((step + 1 - firstStep) * batchSize >= order.length) {
      epoch++;
      firstStep = step + 1;
      if (sortedBy == null || difficulty.refresh()) {
        sortedBy = accuracy.orZero();
      }
      order = sorted();
    }
  }

  private int[] sorted() {
    double bound = difficulty.dropSolvedAbove();
    int[] kept = IntStream.range(0, problems.length).filter(i -> bound == 0 || sortedBy[i] <= bound).toArray();
    int[] positions = kept.length > 0 ? kept : IntStream.range(0, problems.length).toArray();
    return ranking.order(positions, sortedBy, seed, epoch);
  }

  @Override
  public Map<String, Number> metrics() {
    Map<String, Number> metrics = new LinkedHashMap<>();
    metrics.put("curriculum/pass", epoch + 1);
    metrics.put("curriculum/seen", accuracy.seen());
    metrics.put("curriculum/dropped", problems.length - order.length);
    metrics.put("curriculum/accuracy", accuracy.mean());
    return metrics;
  }

  @Override
  public String name() {
    return "curriculum";
  }

  @Override
  public JsonNode save() {
    ObjectNode saved = JsonNodeFactory.instance.objectNode();
    saved.put("pass", epoch).put("first_step", firstStep);
    saved.set("accuracy", accuracy.save(problems));
    if (sortedBy != null) {
      saved.set("sorted_by", RunningAccuracy.toJson(problems, sortedBy));
    }
    return saved;
  }

  @Override
  public void load(JsonNode saved) {
    Map<Integer, Integer> positions = new HashMap<>();
    for (int i = 0; i < problems.length; i++) {
      positions.put(problems[i], i);
    }
    epoch = saved.path("pass").asLong();
    firstStep = saved.path("first_step").asLong();
    accuracy.load(saved.path("accuracy"), positions);
    if (epoch > 0) {
      sortedBy = new double[problems.length];
      RunningAccuracy.read(saved.path("sorted_by"), positions, sortedBy);
      order = sorted();
    }
  }
}
