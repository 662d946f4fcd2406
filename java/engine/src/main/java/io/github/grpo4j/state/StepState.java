package io.github.grpo4j.state;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * A part of a run that remembers something from step to step: a curriculum, smoothed statistics, a loss scale. A checkpoint keeps
 * what it saves under its name, and a resumed run gives it back, so that stopping and going on changes no bit.
 */
public interface StepState {
  /** Key in {@code state.json}, unique in a run. */
  String name();

  /** All that {@link #load} needs. Numbers must survive JSON exactly: doubles do. */
  JsonNode save();

  /**
   * @param state what {@link #save} gave
   * @throws IllegalArgumentException with a sentence if it cannot be that
   */
  void load(JsonNode state);
}
