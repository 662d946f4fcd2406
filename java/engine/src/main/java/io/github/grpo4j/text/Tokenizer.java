package io.github.grpo4j.text;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * Text to token ids and back, by Hugging Face's tokenizers library and a model's own tokenizer.json.
 *
 * <pre>{@code
 * try (Tokenizer tokenizer = Tokenizer.load(Path.of("Qwen2.5-0.5B-Instruct"))) {
 *   int[] ids = tokenizer.encode("<|im_start|>user\nHi<|im_end|>\n");  // 151644 872 198 13048 151645 198
 *   String text = tokenizer.decode(ids);
 * }
 * }</pre>
 *
 * <p>Nothing is ever added: no beginning, no end, no padding, no truncation, whatever the file asks for. All methods may be
 * called from several threads at once; {@link #close} waits for calls that are under way.
 */
public final class Tokenizer implements AutoCloseable {
  private final Path file;
  private final Vocabulary vocabulary;
  private final SpecialTokens special;
  private final TokenizersLibrary library;
  private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
  private long handle;

  private Tokenizer(Path file, Vocabulary vocabulary, SpecialTokens special, TokenizersLibrary library, long handle) {
    this.file = file;
    this.vocabulary = vocabulary;
    this.special = special;
    this.library = library;
    this.handle = handle;
  }

  /**
   * Loads a tokenizer.
   *
   * @param path a model directory with a tokenizer.json, or that file itself; tokenizer_config.json, generation_config.json and
   *     config.json beside it say which ids end a completion
   * @throws TextException if a file is missing or corrupt
   */
  public static Tokenizer load(Path path) {
    Path file = Files.isDirectory(path) ? path.resolve("tokenizer.json") : path;
    if (!Files.isRegularFile(file)) {
      throw new TextException("There is no tokenizer " + file + ": a model directory needs its tokenizer.json.");
    }
    String json = ConfigFiles.readText(file);
    Vocabulary vocabulary = Vocabulary.parse(json, file);
    SpecialTokens special = SpecialTokens.read(file.toAbsolutePath().getParent(), vocabulary);
    TokenizersLibrary library = NativeTokenizers.library();
    long handle;
    try {
      handle = library.createTokenizerFromString(json);
      library.disableTruncation(handle);
      library.disablePadding(handle);
    } catch (RuntimeException e) {
      throw new TextException(file + " is not a usable tokenizer.json: " + e.getMessage(), e);
    }
    return new Tokenizer(file, vocabulary, special, library, handle);
  }

  /** The ids of a text; the names of added tokens in it, such as {@code <|im_end|>}, become those tokens. */
  public int[] encode(String text) {
    String wellFormed = replaceLoneSurrogates(text);
    lock.readLock().lock();
    try {
      long encoding = library.encode(openHandle(), wellFormed, false);
      try {
        return Arrays.stream(library.getTokenIds(encoding)).mapToInt(Math::toIntExact).toArray();
      } finally {
        library.deleteEncoding(encoding);
      }
    } finally {
      lock.readLock().unlock();
    }
  }

  /** The text of some ids, special tokens included. Bytes that are not UTF-8 become U+FFFD, ids not in use nothing. */
  public String decode(int[] ids) {
    return decode(ids, false);
  }

  /** The text of some ids without special tokens. */
  public String decodeSkippingSpecial(int[] ids) {
    return decode(ids, true);
  }

  String decode(int[] ids, boolean skipSpecial) {
    long[] wide = new long[ids.length];
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] < 0) {
        throw new IllegalArgumentException("token id " + ids[i] + " at position " + i + " is negative");
      }
      wide[i] = ids[i];
    }
    lock.readLock().lock();
    try {
      return library.decode(openHandle(), wide, skipSpecial);
    } finally {
      lock.readLock().unlock();
    }
  }

  /** One more than the largest id: 151,665 for Qwen2.5. Rows of a model's head from here on must never be sampled. */
  public int vocabUsed() {
    return vocabulary.size();
  }

  /** The id of an added token such as {@code <|im_start|>}; empty if the tokenizer has no such token. */
  public OptionalInt idOf(String addedToken) {
    Integer id = vocabulary.added().get(addedToken);
    return id == null ? OptionalInt.empty() : OptionalInt.of(id);
  }

  /** The texts of all added tokens, in the order of the file. */
  public Set<String> addedTokens() {
    return vocabulary.added().keySet();
  }

  /** The ids that begin and end sequences. */
  public SpecialTokens special() {
    return special;
  }

  /** The tokenizer.json it was loaded from. */
  public Path file() {
    return file;
  }

  @Override
  public void close() {
    lock.writeLock().lock();
    try {
      if (handle != 0) {
        library.deleteTokenizer(handle);
        handle = 0;
      }
    } finally {
      lock.writeLock().unlock();
    }
  }

  private long openHandle() {
    if (handle == 0) {
      throw new IllegalStateException("the tokenizer of " + file + " has been closed");
    }
    return handle;
  }

  /** Half a surrogate pair has no UTF-8 form; it becomes U+FFFD, as everywhere in Unicode. */
  private static String replaceLoneSurrogates(String text) {
    StringBuilder fixed = null;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
      } else if (Character.isSurrogate(c)) {
        fixed = fixed == null ? new StringBuilder(text) : fixed;
        fixed.setCharAt(i, '\uFFFD');
      }
    }
    return fixed == null ? text : fixed.toString();
  }
}
