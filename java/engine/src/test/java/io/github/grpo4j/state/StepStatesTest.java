package io.github.grpo4j.state;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.IntNode;
import java.util.Map;
import org.junit.jupiter.api.Test;

class StepStatesTest {
  private static final class Counter implements StepState {
    private final String name;
    private int count;

    Counter(String name, int count) {
      this.name = name;
      this.count = count;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public JsonNode save() {
      return IntNode.valueOf(count);
    }

    @Override
    public void load(JsonNode state) {
      count = state.intValue();
    }
  }

  @Test
  void partsGetBackWhatTheySavedAndOthersAreLeftAlone() {
    Map<String, JsonNode> saved = StepStates.of(new Counter("a", 3), "no state", new Counter("b", 5)).save();
    assertEquals(Map.of("a", IntNode.valueOf(3), "b", IntNode.valueOf(5)), saved);
    Counter a = new Counter("a", 0);
    Counter b = new Counter("b", 0);
    StepStates.of(b, a).load(saved);
    assertEquals(3, a.count);
    assertEquals(5, b.count);
  }

  @Test
  void aStateThatIsMissingOrThatNobodyTakesIsNamed() {
    StepStates states = StepStates.of(new Counter("a", 0));
    IllegalArgumentException missing = assertThrows(IllegalArgumentException.class, () -> states.load(Map.of()));
    assertEquals("what the run remembers from step to step has changed: there is no state of a", missing.getMessage());
    IllegalArgumentException both = assertThrows(IllegalArgumentException.class, () -> states.load(Map.of("b", IntNode.valueOf(1))));
    assertEquals("what the run remembers from step to step has changed: there is no state of a, and nothing here takes the state of b",
        both.getMessage());
  }

  @Test
  void twoPartsOfOneNameAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> StepStates.of(new Counter("a", 0), new Counter("a", 1)));
  }
}
