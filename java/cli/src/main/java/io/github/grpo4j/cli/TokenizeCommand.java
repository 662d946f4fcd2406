package io.github.grpo4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.data.DataException;
import io.github.grpo4j.run.ModelLocation;
import io.github.grpo4j.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code grpo4j tokenize}: text to token ids and back, line by line. */
@Command(name = "tokenize", mixinStandardHelpOptions = true, description = "Text to token ids and back, lines in and out.")
final class TokenizeCommand implements Callable<Integer> {
  @Option(names = "--model", required = true, paramLabel = "DIR",
      description = "Model directory, run directory, checkpoint, builtin:tiny, or a tokenizer.json itself.")
  private String model;

  @Option(names = "--input", defaultValue = "-", paramLabel = "FILE", description = "Lines to read; - is standard input (default).")
  private Path input;

  @Option(names = "--decode", description = "Lines hold token ids; text comes out, with line breaks written as \\n.")
  private boolean decode;

  @Option(names = "--json", description = "Lines in and out are JSON: {\"text\": ...} or {\"ids\": [...]} in, both out.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    try (Tokenizer tokenizer = Tokenizer.load(ModelLocation.find(model).model())) {
      if (json) {
        for (JsonLines.Line line : JsonLines.read(input)) {
          boolean fromIds = line.object().has("ids");
          int[] ids = fromIds ? line.ids("ids") : tokenizer.encode(line.text("text"));
          ObjectNode result = JsonLines.JSON.createObjectNode();
          result.put("text", fromIds ? tokenizer.decode(ids) : line.text("text"));
          result.set("ids", JsonLines.array(ids));
          JsonLines.print(System.out, result);
        }
        return ExitCodes.OK;
      }
      int number = 0;
      for (String line : JsonLines.readLines(input)) {
        number++;
        System.out.println(decode
            ? tokenizer.decode(parseIds(line, input + ":" + number)).replace("\\", "\\\\").replace("\n", "\\n")
            : Arrays.stream(tokenizer.encode(line)).mapToObj(Integer::toString).collect(Collectors.joining(" ")));
      }
      return ExitCodes.OK;
    }
  }

  private static int[] parseIds(String line, String where) {
    try {
      return line.isBlank() ? new int[0] : Arrays.stream(line.strip().split("[\\s,]+")).mapToInt(Integer::parseInt).toArray();
    } catch (NumberFormatException e) {
      throw new DataException(where + " is not a list of token ids: " + line, e);
    }
  }
}
