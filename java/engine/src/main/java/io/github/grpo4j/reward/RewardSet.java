package io.github.grpo4j.reward;

import io.github.grpo4j.episode.Reward;
import io.github.grpo4j.episode.Verdict;
import io.github.grpo4j.reward.RewardFunction.Part;
import io.github.grpo4j.reward.parse.Answers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeoutException;

/**
 * Several reward functions as one: their parts, weighted and summed. Parts of the first function keep their names, those of the others are
 * called {@code NAME/PART}, and a function without parts is one part by its own name.
 *
 * <p>Functions that are not {@linkplain RewardFunction#isBounded bounded} run on worker threads with a deadline. One that is late or throws
 * costs the completion its reward: it has none, {@link Reward#failure} says why, and the run goes on. Whether the answer is right is the
 * verdict of the first function that gives one, else that of {@link AnswerPlaces}.
 */
public final class RewardSet {
  /** How long a call may take where nothing else is said. */
  public static final double DEFAULT_TIMEOUT_S = 10;

  /**
   * A function, its name, and its share of the total.
   *
   * @throws IllegalArgumentException if the name is empty or the weight is not a number
   */
  public record Weighted(String name, RewardFunction function, double weight) {
    public Weighted {
      if (name.isBlank()) {
        throw new IllegalArgumentException("a reward has no name; its metrics are called by it");
      }
      if (!Double.isFinite(weight)) {
        throw new IllegalArgumentException("the weight of reward " + name + " is " + weight + "; it must be a number");
      }
    }
  }

  private final List<Weighted> functions;
  private final List<List<Part>> partsOf = new ArrayList<>();
  private final Map<String, Double> weights = new LinkedHashMap<>();
  private final List<Part> parts = new ArrayList<>();
  private final TimedCalls calls;

  /**
   * @param timeoutS seconds that a call of a function that is not bounded may take
   * @throws IllegalArgumentException if two parts have one name
   */
  public RewardSet(List<Weighted> functions, double timeoutS) {
    this.functions = List.copyOf(functions);
    this.calls = new TimedCalls(Duration.ofNanos((long) (timeoutS * 1e9)));
    for (Weighted weighted : this.functions) {
      List<Part> named = partsOf.isEmpty() ? weighted.function().parts() : weighted.function().parts().stream()
          .map(part -> new Part(weighted.name() + "/" + part.name(), part.weight())).toList();
      partsOf.add(named);
      for (Part part : named.isEmpty() ? List.of(new Part(weighted.name(), 1)) : named) {
        double weight = weighted.weight() * part.weight();
        if (weights.put(part.name(), weight) != null) {
          throw new IllegalArgumentException("the name \"" + part.name() + "\" of a reward is taken; each needs one of its own");
        }
        parts.add(new Part(part.name(), weight));
      }
    }
  }

  /** One function alone. */
  public static RewardSet of(String name, RewardFunction function) {
    return new RewardSet(List.of(new Weighted(name, function, 1)), DEFAULT_TIMEOUT_S);
  }

  /** Factors of all parts in the total, in the order in which they are added. */
  public Map<String, Double> weights() {
    return new LinkedHashMap<>(weights);
  }

  /** Waits for all functions. */
  public Reward score(Completion completion) {
    return submit(completion).join();
  }

  /** @return done already where all functions are bounded; it never fails */
  public CompletableFuture<Reward> submit(Completion completion) {
    List<CompletableFuture<Reward>> rewards = new ArrayList<>();
    for (Weighted weighted : functions) {
      rewards.add(weighted.function().isBounded() ? inline(weighted, completion)
          : calls.call(() -> checked(weighted.function().score(completion))).exceptionally(thrown -> failed(weighted, thrown)));
    }
    return CompletableFuture.allOf(rewards.toArray(CompletableFuture[]::new))
        .thenApply(done -> combine(rewards.stream().map(CompletableFuture::join).toList(), completion));
  }

  private static CompletableFuture<Reward> inline(Weighted weighted, Completion completion) {
    try {
      return CompletableFuture.completedFuture(checked(weighted.function().score(completion)));
    } catch (Exception thrown) {
      return CompletableFuture.completedFuture(failed(weighted, thrown));
    }
  }

  private static Reward checked(Reward reward) {
    if (reward == null) {
      throw new IllegalStateException("it gave null; Reward.NOT_APPLICABLE says that there is nothing to say");
    }
    return reward;
  }

  private static Reward failed(Weighted weighted, Throwable thrown) {
    Throwable cause = thrown instanceof CompletionException && thrown.getCause() != null ? thrown.getCause() : thrown;
    String message = cause.getMessage() == null ? "" : ": " + cause.getMessage();
    String what = cause instanceof TimeoutException ? cause.getMessage() : "threw " + cause.getClass().getSimpleName() + message;
    return new Reward(Double.NaN, Map.of(), null, false, "reward " + weighted.name() + " " + what);
  }

  private Reward combine(List<Reward> rewards, Completion completion) {
    Map<String, Double> values = new LinkedHashMap<>();
    Verdict verdict = null;
    String failure = null;
    for (int i = 0; i < rewards.size(); i++) {
      Reward reward = rewards.get(i);
      verdict = verdict == null ? reward.verdict() : verdict;
      failure = failure == null ? reward.failure() : failure;
      put(values, i, reward);
    }
    if (verdict == null) {
      verdict = AnswerPlaces.judge(completion);
    }
    boolean lenient = Answers.match(completion.response(), completion.finalGoldAnswer());
    return failure != null ? new Reward(Double.NaN, Map.of(), verdict, lenient, failure)
        : new Reward(RewardFunction.total(parts, values), values, verdict, lenient, null);
  }

  private void put(Map<String, Double> values, int function, Reward reward) {
    Weighted weighted = functions.get(function);
    List<Part> named = partsOf.get(function);
    List<Part> own = weighted.function().parts();
    if (named.isEmpty() && !Double.isNaN(reward.total())) {
      values.put(weighted.name(), reward.total());
    }
    for (int k = 0; k < named.size(); k++) {
      Double value = reward.components().get(own.get(k).name());
      if (value != null) {
        values.put(named.get(k).name(), value);
      }
    }
  }
}
