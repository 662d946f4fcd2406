package io.github.grpo4j.curriculum;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Map;

/**
 * The running accuracy of every problem: {@code a <- (1 - ema) a + ema x} at each accuracy x but the first, which is taken as it is.
 */
final class RunningAccuracy {
  private final double ema;
  private final double[] values;

  /** @param size positions, none of which has been seen */
  RunningAccuracy(int size, double ema) {
    this.ema = ema;
    this.values = new double[size];
    Arrays.fill(values, Double.NaN);
  }

  /** @param accuracy a NaN, where nothing was scored, changes nothing */
  void add(int position, double accuracy) {
    if (!Double.isNaN(accuracy)) {
      double before = values[position];
      values[position] = Double.isNaN(before) ? accuracy : (1 - ema) * before + ema * accuracy;
    }
  }

  /** Of every position; a problem that has not been seen counts as one that is never solved, as in the original study. */
  double[] orZero() {
    return Arrays.stream(values).map(value -> Double.isNaN(value) ? 0 : value).toArray();
  }

  int seen() {
    return (int) Arrays.stream(values).filter(value -> !Double.isNaN(value)).count();
  }

  /** Mean over the problems that have been seen; 0 if there is none. */
  double mean() {
    return Arrays.stream(values).filter(value -> !Double.isNaN(value)).average().orElse(0);
  }

  /** By problem index, those that have not been seen left out. */
  static ObjectNode toJson(int[] problems, double[] values) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    for (int i = 0; i < values.length; i++) {
      if (!Double.isNaN(values[i])) {
        json.put(Integer.toString(problems[i]), values[i]);
      }
    }
    return json;
  }

  ObjectNode save(int[] problems) {
    return toJson(problems, values);
  }

  /** @param positions of problems by their index */
  void load(JsonNode saved, Map<Integer, Integer> positions) {
    read(saved, positions, values);
  }

  /** @param values gets the accuracies; NaN where there is none */
  static void read(JsonNode saved, Map<Integer, Integer> positions, double[] values) {
    Arrays.fill(values, Double.NaN);
    for (Iterator<Map.Entry<String, JsonNode>> fields = saved.fields(); fields.hasNext(); ) {
      Map.Entry<String, JsonNode> field = fields.next();
      Integer position = field.getKey().matches("\\d{1,9}") ? positions.get(Integer.parseInt(field.getKey())) : null;
      if (position == null || !field.getValue().isNumber()) {
        throw new IllegalArgumentException("the curriculum's state has an accuracy of problem " + field.getKey()
            + ", which is none of those that are trained on");
      }
      values[position] = field.getValue().doubleValue();
    }
  }
}
