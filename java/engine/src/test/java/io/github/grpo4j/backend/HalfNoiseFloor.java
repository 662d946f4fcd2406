package io.github.grpo4j.backend;

import static org.junit.jupiter.api.Assertions.assertFalse;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.github.grpo4j.testing.Accuracy;
import io.github.grpo4j.testing.Fixtures;
import io.github.grpo4j.testing.NdArray;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.Map;

/**
 * The error rule of the 16-bit types: an op may be at most twice as far from the exact value as PyTorch is in the same type on the
 * same inputs. {@code half_noise_floor.py} measured how far that is for the golden values of the test resources; another set may
 * bring floors of its own in {@code noise_floor.json}, under {@code ops/NAME.bf16}. Where there is neither, results are held to the
 * tolerances of their {@link OpCase} alone, which are those of the layout, and that is said.
 */
final class HalfNoiseFloor {
  private static final double ALLOWED = 2;
  private static final String NOISE_FLOOR = "noise_floor.json";
  private static final JsonNode FLOORS = read();

  private HalfNoiseFloor() {}

  private static JsonNode floors(String file, String name, DType dtype) {
    if (Fixtures.isOwnCopy(file)) {
      JsonNode floors = FLOORS.path(name).path(dtype.name());
      assertFalse(floors.isEmpty(), () -> "half_noise_floor.json has nothing on " + name + " in " + dtype);
      return floors;
    }
    try {
      boolean given = dtype == DType.BF16 && Files.exists(Fixtures.path(NOISE_FLOOR));
      return given ? Fixtures.json(NOISE_FLOOR).path("values").path("ops/" + name + ".bf16") : MissingNode.getInstance();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static JsonNode read() {
    try (InputStream in = HalfNoiseFloor.class.getResourceAsStream("half_noise_floor.json")) {
      return new ObjectMapper().readTree(in).get("floors");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Every result that was measured for the case.
   *
   * @param file with the golden values, such as {@code ops/attention_d16_h4_2.safetensors}
   * @param name of the case among the floors, such as {@code attention_d16_h4_2}
   */
  static void check(String file, String name, DType dtype, Map<String, NdArray> expected, Map<String, NdArray> results) {
    JsonNode floors = floors(file, name, dtype);
    if (floors.isEmpty()) {
      Fixtures.sayWeaker(name + " in " + dtype + " may be off by the tolerance of the layout, not by twice PyTorch's error");
    }
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
