package io.github.grpo4j.run;

import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.state.StepStates;
import java.util.List;

/**
 * All of a run that changes from step to step, and so belongs into a checkpoint beside the {@link RunState}.
 *
 * @param states what parts of the run remember; kept in state.json
 * @param parts what needs files of its own
 */
public record CheckpointContents(ModelState model, AdamW optimizer, StepStates states, List<CheckpointPart> parts) {
  public CheckpointContents {
    parts = List.copyOf(parts);
  }
}
