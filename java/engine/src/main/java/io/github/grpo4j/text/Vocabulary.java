package io.github.grpo4j.text;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What Java needs to know of a tokenizer.json: how many ids it uses and which tokens were added to the model's vocabulary.
 *
 * <p>The file is streamed, since Qwen2.5's 7 MB would make 300,000 nodes of a tree.
 *
 * @param size one more than the largest id
 * @param added added tokens by their text, special or not
 */
record Vocabulary(int size, Map<String, Integer> added) {
  private static final int LARGEST_ID = 10_000_000;

  /** Field names here are 150,000 tokens, each seen once: interning them would take longer than all the rest. */
  private static final JsonFactory JSON = JsonFactory.builder().disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES).build();

  /** @throws TextException if the text is not a tokenizer.json; the message names {@code file} */
  static Vocabulary parse(String json, Path file) {
    Scan scan = new Scan();
    try (JsonParser parser = JSON.createParser(json)) {
      scan.document(parser);
    } catch (JsonProcessingException e) {
      String place = file + ":" + e.getLocation().getLineNr() + ":" + e.getLocation().getColumnNr();
      throw new TextException(place + ": not a usable tokenizer.json: " + e.getOriginalMessage(), e);
    } catch (IOException e) {
      throw new TextException("Cannot read " + file + ": " + e, e);
    }
    return new Vocabulary(scan.largestId + 1, scan.added);
  }

  private static final class Scan {
    private final Map<String, Integer> added = new LinkedHashMap<>();
    private int largestId = -1;
    private boolean hasModel;

    void document(JsonParser parser) throws IOException {
      expect(parser, parser.nextToken(), JsonToken.START_OBJECT, "the file");
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String key = parser.currentName();
        parser.nextToken();
        switch (key) {
          case "added_tokens" -> addedTokens(parser);
          case "model" -> model(parser);
          default -> parser.skipChildren();
        }
      }
      if (parser.nextToken() != null) {
        throw new JsonParseException(parser, "text follows the end of the JSON object");
      }
      if (!hasModel || largestId < 0) {
        throw new JsonParseException(parser, "it has no \"model\" with a \"vocab\"");
      }
    }

    private void addedTokens(JsonParser parser) throws IOException {
      expect(parser, parser.currentToken(), JsonToken.START_ARRAY, "\"added_tokens\"");
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        expect(parser, parser.currentToken(), JsonToken.START_OBJECT, "an entry of \"added_tokens\"");
        String content = null;
        int id = -1;
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String key = parser.currentName();
          parser.nextToken();
          if (key.equals("content")) {
            expect(parser, parser.currentToken(), JsonToken.VALUE_STRING, "the content of an added token");
            content = parser.getText();
          } else if (key.equals("id")) {
            id = id(parser);
          } else {
            parser.skipChildren();
          }
        }
        if (content == null || id < 0) {
          throw new JsonParseException(parser, "an entry of \"added_tokens\" lacks its id or content");
        }
        added.put(content, id);
      }
    }

    private void model(JsonParser parser) throws IOException {
      expect(parser, parser.currentToken(), JsonToken.START_OBJECT, "\"model\"");
      hasModel = true;
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String key = parser.currentName();
        JsonToken value = parser.nextToken();
        if (key.equals("vocab") && value == JsonToken.START_OBJECT) {
          while (parser.nextToken() != JsonToken.END_OBJECT) {
            parser.nextToken();
            id(parser);
          }
        } else if (key.equals("vocab") && value == JsonToken.START_ARRAY) {
          // Unigram models list [piece, score] in the order of their ids.
          for (int id = 0; parser.nextToken() != JsonToken.END_ARRAY; id++) {
            parser.skipChildren();
            largestId = Math.max(largestId, id);
          }
        } else {
          parser.skipChildren();
        }
      }
    }

    private int id(JsonParser parser) throws IOException {
      expect(parser, parser.currentToken(), JsonToken.VALUE_NUMBER_INT, "a token id");
      long id = parser.getLongValue();
      if (id < 0 || id > LARGEST_ID) {
        throw new JsonParseException(parser, "token id " + id + " is outside 0 … " + LARGEST_ID);
      }
      largestId = Math.max(largestId, (int) id);
      return (int) id;
    }

    private static void expect(JsonParser parser, JsonToken found, JsonToken wanted, String what) throws IOException {
      if (found != wanted) {
        throw new JsonParseException(parser, what + " should be " + wanted + ", found " + found);
      }
    }
  }
}
