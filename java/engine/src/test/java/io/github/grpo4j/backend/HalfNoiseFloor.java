package io.github.grpo4j.backend;

import static org.junit.jupiter.api.Assertions.assertFalse;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.grpo4j.testing.Accuracy;
import io.github.grpo4j.testing.NdArray;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;

/**
 * The error rule of the 16-bit types: an op may be at most twice as far from the exact value as PyTorch is in the same type on the
 * same inputs. {@code half_noise_floor.py} measured how far that is.
 */
final class HalfNoiseFloor {
  private static final double ALLOWED = 2;
  private static final JsonNode FLOORS = read();

  private HalfNoiseFloor() {}

  private static JsonNode read() {
    try (InputStream in = HalfNoiseFloor.class.getResourceAsStream("half_noise_floor.json")) {
      return new ObjectMapper().readTree(in).get("floors");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Every result that was measured for the case, such as {@code attention_d16_h4_2}. */
  static void check(String name, DType dtype, Map<String, NdArray> expected, Map<String, NdArray> results) {
    JsonNode floors = FLOORS.path(name).path(dtype.name());
    assertFalse(floors.isEmpty(), () -> "no noise floor of " + name + " in " + dtype);
    for (Map.Entry<String, JsonNode> floor : floors.properties()) {
      double[] right = expected.get(floor.getKey()).values();
      double[] actual = results.get(floor.getKey()).values();
      double allowed = ALLOWED * floor.getValue().asDouble();
      String what = name + " " + dtype + " against twice PyTorch's error: " + floor.getKey();
      switch (floor.getKey()) {
        case "logprob", "entropy" -> Accuracy.assertMaxAbs(what, right, actual, allowed);
        default -> Accuracy.assertRelative(what, right, actual, allowed);
      }
    }
  }
}
