package io.github.grpo4j.text;

import java.util.Arrays;

/**
 * Turns tokens into text one by one, as they are generated.
 *
 * <p>A token may end in the middle of a character; its text is held back until the character is whole. What {@link #add} and
 * {@link #finish} return, put together, is the text of {@link Tokenizer#decode} for all ids. Not for use by several threads.
 */
public final class StreamingDecoder {
  private static final char REPLACEMENT = '\uFFFD';

  private final Tokenizer tokenizer;
  private final boolean skipSpecial;
  // The text of ids [0, shown) of the window is out already. They are kept because some tokenizers decode the first token of a
  // text differently, so the new text is the difference between the window with and without the new ids.
  private int[] window = new int[0];
  private int shown;

  public StreamingDecoder(Tokenizer tokenizer, boolean skipSpecial) {
    this.tokenizer = tokenizer;
    this.skipSpecial = skipSpecial;
  }

  /** Takes the next id and returns the text that has become certain, often that of this id, perhaps empty. */
  public String add(int id) {
    window = Arrays.copyOf(window, window.length + 1);
    window[window.length - 1] = id;
    String before = tokenizer.decode(Arrays.copyOf(window, shown), skipSpecial);
    String now = tokenizer.decode(window, skipSpecial);
    if (now.length() <= before.length() || now.charAt(now.length() - 1) == REPLACEMENT) {
      return "";
    }
    window = Arrays.copyOfRange(window, shown, window.length);
    shown = window.length;
    return now.substring(before.length());
  }

  /** The text still held back, an incomplete character as U+FFFD; the decoder is then as new. */
  public String finish() {
    String before = tokenizer.decode(Arrays.copyOf(window, shown), skipSpecial);
    String now = tokenizer.decode(window, skipSpecial);
    window = new int[0];
    shown = 0;
    return now.substring(Math.min(before.length(), now.length()));
  }
}
