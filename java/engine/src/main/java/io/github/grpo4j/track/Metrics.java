package io.github.grpo4j.track;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The metrics of one step, in a fixed order, under the names that TRL's GRPO trainer uses: dashboards made for one read the
 * other.
 *
 * <p>Values of the machine ({@link #isOfMachine}: wall clock and memory) differ from run to run; everything else is a function of configuration and seed.
 */
public final class Metrics {
  // The optimizer step.
  public static final String GRAD_NORM = "grad_norm";
  public static final String LEARNING_RATE = "learning_rate";
  /** Factor on the loss of the next step, where a model is stored in fp16. */
  public static final String LOSS_SCALE = "loss_scale";
  /** Prompt and completion tokens that the run has processed so far. */
  public static final String NUM_TOKENS = "num_tokens";
  public static final String EPOCH = "epoch";
  /** Distance between the log-probs of the sampler and those of the training forward, over the tokens of the step. */
  public static final String LOGP_DIFFERENCE_MEAN = "sampling/sampling_logp_difference/mean";
  public static final String LOGP_DIFFERENCE_MAX = "sampling/sampling_logp_difference/max";
  /** Prefix of what an evaluation measured. */
  public static final String EVAL = "eval/";
  // Evaluation: the share of held-out problems answered rightly, and its greedy completions' mean length.
  public static final String EVAL_ACCURACY_GREEDY = "eval/accuracy_greedy";
  public static final String EVAL_ACCURACY_SAMPLED = "eval/accuracy_sampled";
  /** Prefix of the accuracy among {@code short}, {@code medium} and {@code long} completions: sampled ones where there are some. */
  public static final String EVAL_ACCURACY_BY_LENGTH = "eval/accuracy_by_length/";
  public static final String EVAL_MEAN_LENGTH = "eval/completions/mean_length";
  // Wall clock.
  public static final String STEP_TIME = "step_time";
  public static final String ROLLOUT_TOKENS_PER_S = "rollout/tokens_per_s";
  public static final String TRAIN_TOKENS_PER_S = "train/tokens_per_s";
  /** Prefix of the seconds that a phase of the step took: {@code time/rollout}, {@code time/eval}. */
  public static final String TIME = "time/";
  /** Prefix of what the process takes of the machine's memory, in MiB. */
  public static final String MEMORY = "memory/";

  private static final JsonMapper JSON = new JsonMapper();

  private final Map<String, Number> values = new LinkedHashMap<>();

  /** A step's metrics to go on with, such as those that a checkpoint kept. */
  public static Metrics of(Map<String, Number> values) {
    Metrics metrics = new Metrics();
    metrics.values.putAll(values);
    return metrics;
  }

  /** True for times and memory, which no seed makes equal. */
  public static boolean isOfMachine(String name) {
    return name.equals(STEP_TIME) || name.startsWith(TIME) || name.startsWith(MEMORY) || name.endsWith("tokens_per_s");
  }

  /** A metrics line without times and memory: what equal runs have in common to the byte. */
  public static String withoutMachine(String line) {
    try {
      ObjectNode object = (ObjectNode) JSON.readTree(line);
      List<String> names = new ArrayList<>();
      object.fieldNames().forEachRemaining(names::add);
      names.stream().filter(Metrics::isOfMachine).forEach(object::remove);
      return object.toString();
    } catch (JsonProcessingException | ClassCastException e) {
      throw new IllegalArgumentException("not a line of metrics: " + line, e);
    }
  }

  /** @param value a whole number stays one */
  public Metrics put(String name, Number value) {
    return value instanceof Integer || value instanceof Long ? put(name, value.longValue()) : put(name, value.doubleValue());
  }

  public Metrics put(String name, double value) {
    values.put(name, value);
    return this;
  }

  public Metrics put(String name, long value) {
    values.put(name, value);
    return this;
  }

  /** All values by name, in the order in which they were put. */
  public Map<String, Number> asMap() {
    return Collections.unmodifiableMap(values);
  }
}
