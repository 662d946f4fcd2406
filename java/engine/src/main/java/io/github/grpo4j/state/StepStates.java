package io.github.grpo4j.state;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The parts of a run that remember something, saved and loaded together. */
public final class StepStates {
  private final Map<String, StepState> states = new LinkedHashMap<>();

  /**
   * @param parts of a run; those that are no {@link StepState} have nothing to remember and are left out
   * @throws IllegalArgumentException if two have one name
   */
  public static StepStates of(Object... parts) {
    StepStates result = new StepStates();
    for (Object part : parts) {
      if (part instanceof StepState state && result.states.put(state.name(), state) != null) {
        throw new IllegalArgumentException("two parts of the run keep their state under the name " + state.name());
      }
    }
    return result;
  }

  /** What each part saves, by its name. */
  public Map<String, JsonNode> save() {
    Map<String, JsonNode> saved = new LinkedHashMap<>();
    states.forEach((name, state) -> saved.put(name, state.save()));
    return saved;
  }

  /**
   * Gives each part what it saved.
   *
   * @throws IllegalArgumentException with a sentence if a part has no state there, a state has no part here, or does not fit it
   */
  public void load(Map<String, JsonNode> saved) {
    List<String> missing = new ArrayList<>(states.keySet());
    missing.removeAll(saved.keySet());
    List<String> unknown = new ArrayList<>(saved.keySet());
    unknown.removeAll(states.keySet());
    if (!missing.isEmpty() || !unknown.isEmpty()) {
      throw new IllegalArgumentException("what the run remembers from step to step has changed: "
          + (missing.isEmpty() ? "" : "there is no state of " + String.join(", ", missing))
          + (missing.isEmpty() || unknown.isEmpty() ? "" : ", and ")
          + (unknown.isEmpty() ? "" : "nothing here takes the state of " + String.join(", ", unknown)));
    }
    states.forEach((name, state) -> state.load(saved.get(name)));
  }
}
