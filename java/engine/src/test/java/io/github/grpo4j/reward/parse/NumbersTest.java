package io.github.grpo4j.reward.parse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NumbersTest {
  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "18 | 18", "1,080 | 1080", "192,000,000 | 192000000", "$18. | 18", "-$5 | -5", "$-5 | -5", "-1,080.50 | -1080.50",
      "45% | 45", "is 0.5 | 0.5", "is .5 | 0.5", "1.2e3 | 1200", "2E-2 | 0.02", "5-3 | 3", "5 -3 | 3", "5 - 3 | 3",
      "x-3 | 3", "(2)-3 | 3", "x = -3 | -3", "the answer is -3. | -3", "from 3 to 7 | 7", "1,2 | 2", "1,0800 | 800",
      "1234,567 | 567", "3:30 | 30", "\u22127 | -7", "2e | 2", "1.5.2 | 2", "20 % | 20", "a1b | 1"
  })
  void readsTheLastNumber(String text, BigDecimal expected) {
    BigDecimal number = Numbers.last(text);
    assertNotNull(number, text);
    assertEquals(0, expected.compareTo(number), text + " gave " + number);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "none", "-", "$", ",", ".", "...", "-.", "e", "1e999999999", "1e-999999999", "\u0663\u0664"})
  void findsNone(String text) {
    assertNull(Numbers.last(text), text);
  }

  @Test
  void numbersBeyondTheCapsAreSkippedAsAWhole() {
    assertNull(Numbers.last("9".repeat(Numbers.MAX_DIGITS + 1)));
    assertEquals(new BigDecimal("7"), Numbers.last("7 then 1e999999999"));
    assertEquals(Numbers.MAX_DIGITS, Numbers.last("9".repeat(Numbers.MAX_DIGITS)).precision());
  }

  @ParameterizedTest
  @ValueSource(strings = {"18", "$18", "18%", "18.", " -18 ", "1,800"})
  void onlyANumber(String text) {
    assertNotNull(Numbers.only(text), text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"18 apples", "a 18", "1 2", "18 #### 19", "", "1e99"})
  void notOnlyANumber(String text) {
    assertNull(Numbers.only(text), text);
  }

  @Test
  void equalityHasATolerance() {
    assertTrue(Numbers.equal(new BigDecimal("0.3333333"), new BigDecimal("0.33333333")));
    assertTrue(Numbers.equal(new BigDecimal("18.0"), new BigDecimal("18")));
    assertFalse(Numbers.equal(new BigDecimal("18.00001"), new BigDecimal("18")));
    assertFalse(Numbers.equal(null, null));
  }
}
