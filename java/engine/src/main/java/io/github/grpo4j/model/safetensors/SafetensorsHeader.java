package io.github.grpo4j.model.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The JSON header of a safetensors file, read from untrusted bytes. After {@link #parse} every tensor is known to lie inside
 * the file and to be as long as its shape says; the tensors cover the data without a hole or an overlap, as the format
 * demands (github.com/huggingface/safetensors, README, "Format").
 */
final class SafetensorsHeader {
  /** The reference implementation's limit. */
  static final long MAX_BYTES = 100_000_000;
  private static final int MAX_DIMENSIONS = 32;
  private static final String METADATA = "__metadata__";

  /** Names are not canonicalised: a file could make that table overflow. */
  private static final JsonFactory JSON = JsonFactory.builder()
      .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
      .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
      .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(8).build())
      .build();

  private final String file;
  private final Map<String, TensorInfo> tensors = new LinkedHashMap<>();
  private final Map<String, String> metadata = new LinkedHashMap<>();

  private SafetensorsHeader(String file) {
    this.file = file;
  }

  /** Tensors in the order of their data. */
  Map<String, TensorInfo> tensors() {
    return Collections.unmodifiableMap(tensors);
  }

  Map<String, String> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  /**
   * @param file name for error messages
   * @param json the header, without its length
   * @param dataBytes what the file holds after the header
   * @throws ModelFormatException if the header breaks a rule of the format
   */
  static SafetensorsHeader parse(String file, byte[] json, long dataBytes) {
    SafetensorsHeader header = new SafetensorsHeader(file);
    if (json.length == 0 || json[0] != '{') {
      throw header.broken("its header does not start with a JSON object");
    }
    Reader text = new InputStreamReader(new ByteArrayInputStream(json), StandardCharsets.UTF_8.newDecoder()
        .onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT));
    try (JsonParser parser = JSON.createParser(text)) {
      header.readObject(parser);
    } catch (CharacterCodingException e) {
      throw header.broken("its header is not valid UTF-8");
    } catch (IOException e) {
      throw header.broken("its header is not valid JSON: " + e.getMessage().lines().findFirst().orElse(""));
    }
    header.sortAndCheckCover(dataBytes);
    return header;
  }

  private void readObject(JsonParser parser) throws IOException {
    expect(parser.nextToken(), JsonToken.START_OBJECT, "the header");
    for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
      parser.nextToken();
      if (name.equals(METADATA)) {
        readMetadata(parser);
      } else {
        tensors.put(name, readTensor(parser, name));
      }
    }
    expect(parser.currentToken(), JsonToken.END_OBJECT, "the header");
    if (parser.nextToken() != null) {
      throw broken("something follows the JSON object of its header");
    }
  }

  private void readMetadata(JsonParser parser) throws IOException {
    expect(parser.currentToken(), JsonToken.START_OBJECT, METADATA);
    for (String key = parser.nextFieldName(); key != null; key = parser.nextFieldName()) {
      expect(parser.nextToken(), JsonToken.VALUE_STRING, METADATA + " entry " + quote(key));
      metadata.put(key, parser.getText());
    }
  }

  private TensorInfo readTensor(JsonParser parser, String name) throws IOException {
    String what = "tensor " + quote(name);
    expect(parser.currentToken(), JsonToken.START_OBJECT, what);
    String typeName = null;
    long[] shape = null;
    long[] offsets = null;
    for (String key = parser.nextFieldName(); key != null; key = parser.nextFieldName()) {
      parser.nextToken();
      switch (key) {
        case "dtype" -> {
          expect(parser.currentToken(), JsonToken.VALUE_STRING, "dtype of " + what);
          typeName = parser.getText();
        }
        case "shape" -> shape = readNumbers(parser, "shape of " + what);
        case "data_offsets" -> offsets = readNumbers(parser, "data_offsets of " + what);
        default -> throw broken(what + " has the unknown key " + quote(key));
      }
    }
    if (typeName == null || shape == null || offsets == null) {
      throw broken(what + " needs dtype, shape and data_offsets");
    }
    StoredType type = StoredType.named(typeName);
    if (type == null) {
      throw broken(what + " has the unknown dtype " + quote(typeName));
    }
    if (offsets.length != 2 || offsets[1] < offsets[0]) {
      throw broken("data_offsets of " + what + " are " + Arrays.toString(offsets) + ", not a begin and an end");
    }
    long bytes = offsets[1] - offsets[0];
    if (bytes != bytesOf(type, shape, what)) {
      throw broken(what + " has " + bytes + " bytes of data; " + type + Arrays.toString(shape) + " has "
          + bytesOf(type, shape, what));
    }
    return new TensorInfo(name, type, shape, offsets[0], bytes);
  }

  private long bytesOf(StoredType type, long[] shape, String what) {
    try {
      return TensorInfo.bytesOf(type, shape);
    } catch (ArithmeticException e) {
      throw broken("the size of " + what + ", " + type + Arrays.toString(shape) + ", overflows 64 bits");
    }
  }

  private long[] readNumbers(JsonParser parser, String what) throws IOException {
    expect(parser.currentToken(), JsonToken.START_ARRAY, what);
    long[] numbers = new long[MAX_DIMENSIONS];
    int count = 0;
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      expect(parser.currentToken(), JsonToken.VALUE_NUMBER_INT, what);
      if (count == MAX_DIMENSIONS) {
        throw broken(what + " has more than " + MAX_DIMENSIONS + " numbers");
      }
      if (parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER || parser.getLongValue() < 0) {
        throw broken(what + " holds " + shorten(parser.getText()) + ", which is not a size");
      }
      numbers[count++] = parser.getLongValue();
    }
    return Arrays.copyOf(numbers, count);
  }

  private void sortAndCheckCover(long dataBytes) {
    List<TensorInfo> byPlace = new ArrayList<>(tensors.values());
    byPlace.sort(Comparator.comparingLong(TensorInfo::begin).thenComparingLong(info -> info.begin() + info.bytes()));
    long end = 0;
    for (TensorInfo info : byPlace) {
      if (info.begin() != end) {
        throw broken("tensor " + quote(info.name()) + " begins at byte " + info.begin() + " of the data; the one before it ends at "
            + end);
      }
      end = info.begin() + info.bytes();
    }
    if (end != dataBytes) {
      throw broken("its tensors end at byte " + end + " of the data, but the file has " + dataBytes
          + (end > dataBytes ? " (it was cut off, perhaps by an incomplete download)" : ""));
    }
    tensors.clear();
    byPlace.forEach(info -> tensors.put(info.name(), info));
  }

  private void expect(JsonToken actual, JsonToken expected, String what) {
    if (actual != expected) {
      throw broken(what + " is not " + switch (expected) {
        case START_OBJECT, END_OBJECT -> "a JSON object";
        case START_ARRAY -> "a list";
        case VALUE_NUMBER_INT -> "a list of whole numbers";
        default -> "a text";
      });
    }
  }

  private ModelFormatException broken(String cause) {
    return new ModelFormatException(file + " is not a valid safetensors file: " + cause);
  }

  /** Names come from the file: long ones and control characters must not flood or garble a terminal. */
  static String quote(String name) {
    return "\"" + shorten(name) + "\"";
  }

  private static String shorten(String text) {
    String part = text.length() > 120 ? text.substring(0, 120) + "…" : text;
    return part.codePoints().map(c -> Character.isISOControl(c) ? '?' : c)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append).toString();
  }

  /** Reference order of tensors in a file: by descending type, then by name. */
  static List<TensorInfo> inReferenceOrder(Iterable<TensorInfo> tensors) {
    List<TensorInfo> ordered = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (TensorInfo info : tensors) {
      if (!names.add(info.name()) || info.name().equals(METADATA)) {
        throw new IllegalArgumentException("tensor name " + quote(info.name()) + " is taken");
      }
      ordered.add(info);
    }
    ordered.sort(Comparator.comparing(TensorInfo::type).reversed().thenComparing(TensorInfo::name));
    return ordered;
  }
}
