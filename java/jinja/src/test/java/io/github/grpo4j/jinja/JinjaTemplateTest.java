package io.github.grpo4j.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class JinjaTemplateTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * cases.jsonl holds templates with what Jinja2 3.1.6 made of them, set up as transformers does for chat templates (immutable
   * sandbox, trim_blocks, lstrip_blocks, loop controls, its own tojson); "error" stands where Jinja2 raised one.
   */
  @TestFactory
  Stream<DynamicTest> rendersAsJinja2() throws IOException {
    Map<String, Object> variables = JSON.readValue(resource("variables.json"), new TypeReference<>() {});
    return resource("cases.jsonl").lines().map(JinjaTemplateTest::readTree).map(golden -> {
      String template = golden.get("template").textValue();
      return DynamicTest.dynamicTest("template: " + template, () -> {
        if (golden.has("error")) {
          assertThrows(JinjaException.class, () -> JinjaTemplate.parse(template).render(variables));
        } else {
          assertEquals(golden.get("output").textValue(), JinjaTemplate.parse(template).render(variables));
        }
      });
    });
  }

  @Test
  void errorsNameTheLine() {
    assertMessage("line 3: 'x' is undefined", "a\n\n{{ x.y }}");
    assertMessage("line 2: there is no filter 'nope'", "\n{{ 1|nope }}");
    assertMessage("line 1: {% if %} is not closed by {% endif %}", "{% if true %}\n\n");
    assertMessage("line 2: the template refuses these messages: roles must alternate", "\n{{ raise_exception('roles must alternate') }}");
    assertMessage("line 1: {% include %} is not supported in a chat template", "{% include 'x' %}");
    assertMessage("line 1: a tag is never closed, expected %}", "{% set x = 1\n\n");
    assertMessage("line 1: expected a value, found *", "{{ 1 + * }}");
  }

  @Test
  void hostileTemplatesEndInAnError() {
    String nested = "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}x{% endfor %}{% endfor %}{% endfor %}";
    for (String template : List.of(
        nested,
        "{% for i in range(1000000000000) %}{% endfor %}",
        "{% set ns = namespace(s='aaaaaaaaaa') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(100) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
        "{{ 'a' * 1000000000 }}", "{{ 'a' * 9223372036854775807 }}", "{{ 9223372036854775807 + 1 }}", "{{ 2 ** 9999999999 }}",
        "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
        "{% macro f(n) %}{% for i in [1,2,3] %}{{ f(n + 1) }}{% endfor %}{% endmacro %}{{ f(1) }}",
        "{{ " + "(".repeat(100_000) + "1" + ")".repeat(100_000) + " }}",
        "{{ " + "-".repeat(100_000) + "1 }}", "{{ " + "not ".repeat(100_000) + "1 }}",
        "{{ 1" + "+1".repeat(200_000) + " }}", "{{ x" + ".x".repeat(200_000) + " }}", "{{ 1" + "|string".repeat(100_000) + " }}",
        "{% if true %}".repeat(10_000), "x".repeat(2_000_000),
        "{{ 'x'|indent(1000000000) }}", "{{ 'ab'.replace('', 'c') }}",
        "{% set ns = namespace(l=[]) %}{% set ns.l = [ns.l] %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}")) {
      JinjaException failure = assertThrows(JinjaException.class, () -> {
        String text = JinjaTemplate.parse(template).render(Map.of());
        assertTrue(text.length() < 1000, "rendered " + text.length() + " characters");
      }, template.substring(0, Math.min(80, template.length())));
      assertTrue(failure.getMessage().length() < 300, failure.getMessage());
    }
  }

  @Test
  void onlyPlainDataGoesIn() {
    String message = assertThrows(
        JinjaException.class, () -> JinjaTemplate.parse("{{ x }}").render(Map.of("x", Thread.currentThread()))).getMessage();
    assertTrue(message.startsWith("a template cannot be given a java.lang"), message);
  }

  /** Whatever a template's characters are, it renders or fails with a {@link JinjaException}. */
  @Test
  void damagedTemplatesNeverDoWorse() throws IOException {
    Map<String, Object> variables = JSON.readValue(resource("variables.json"), new TypeReference<>() {});
    List<String> templates = resource("cases.jsonl").lines().map(line -> readTree(line).get("template").textValue()).toList();
    String pieces = "{}%#-+()[]'\"|.,:~*/=<> \nabilfors0123456789";
    Random random = new Random(5);
    int rendered = 0;
    for (int i = 0; i < 5_000; i++) {
      StringBuilder template = new StringBuilder(templates.get(random.nextInt(templates.size())));
      for (int change = random.nextInt(4); change >= 0 && template.length() > 0; change--) {
        int at = random.nextInt(template.length());
        char piece = pieces.charAt(random.nextInt(pieces.length()));
        switch (random.nextInt(3)) {
          case 0 -> template.setCharAt(at, piece);
          case 1 -> template.insert(at, piece);
          default -> template.deleteCharAt(at);
        }
      }
      try {
        JinjaTemplate.parse(template.toString()).render(variables);
        rendered++;
      } catch (JinjaException e) {
        assertTrue(e.getMessage().length() < 2000, e.getMessage());
      }
    }
    assertTrue(rendered > 250 && rendered < 4_750, rendered + " of 5000 rendered");
  }

  private static void assertMessage(String message, String template) {
    assertEquals(message, assertThrows(JinjaException.class, () -> JinjaTemplate.parse(template).render(Map.of())).getMessage());
  }

  private static JsonNode readTree(String line) {
    try {
      return JSON.readTree(line);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String resource(String name) throws IOException {
    try (InputStream stream = JinjaTemplateTest.class.getResourceAsStream(name)) {
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
