package io.github.grpo4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.rollout.Generator;
import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.rollout.RolloutRequest;
import io.github.grpo4j.rollout.RolloutStats;
import io.github.grpo4j.rollout.SamplingParams;
import io.github.grpo4j.session.ModelSession;
import io.github.grpo4j.text.StreamingDecoder;
import io.github.grpo4j.text.Tokenizer;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code grpo4j generate}: prompts in, answers out. */
@Command(name = "generate", mixinStandardHelpOptions = true, description = "Answers prompts; a single one is streamed as it is sampled.")
final class GenerateCommand implements Callable<Integer> {
  private static final int USUAL_NEW_TOKENS = 256;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  @Mixin private ModelOptions model;
  @Mixin private SamplingOptions sampling;

  @ArgGroup(multiplicity = "1", exclusive = true)
  private PromptOptions prompts;

  @Option(names = "--system", paramLabel = "TEXT", description = "System message of --chat; without it the template may have its own.")
  private String system;

  @Option(names = "--answers", defaultValue = "1", paramLabel = "N", description = "Answers per prompt (1).")
  private int answers;

  @Option(names = "--max-rows", defaultValue = "32", paramLabel = "N", description = "Answers decoded together (32).")
  private int maxRows;

  @Option(names = "--json", description = "One JSON object a line: prompt_ids, new_ids, logprobs, entropies, text, finish_reason.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    if (system != null && !prompts.isChat()) {
      throw new CommandLine.ParameterException(spec.commandLine(), "--system goes with --chat; lines of --input have messages of their own");
    }
    try (ModelSession session = model.open()) {
      Optional<Tokenizer> tokenizer = session.tokenizerIfAny();
      List<RolloutRequest> requests = prompts.requests(session.directory(), tokenizer, system, answers);
      int longestPrompt = requests.stream().mapToInt(request -> request.promptIds().length).max().orElseThrow();
      int room = Math.max(1, session.weights().config().maxPositions() - longestPrompt);
      SamplingParams params = sampling.params(SamplingParams.atTemperature(1, Math.min(USUAL_NEW_TOKENS, room)));
      int longest = longestPrompt + params.maxNewTokens();
      int rows = (int) Math.min(maxRows, (long) requests.size() * answers);
      try (CausalLm lm = new CausalLm(session.backend(), session.weights(), longest);
          Generator generator = new Generator(lm, Generator.Limits.of(rows, longest), session.stopIds(),
              tokenizer.map(Tokenizer::vocabUsed).orElse(lm.config().vocabSize()), ids -> tokenizer.map(t -> t.decode(ids)).orElse(""))) {
        generate(generator, requests, params, tokenizer);
      }
    }
    return ExitCodes.OK;
  }

  private void generate(Generator generator, List<RolloutRequest> requests, SamplingParams params, Optional<Tokenizer> tokenizer) {
    double ready = secondsSinceStart();
    boolean stream = !json && requests.size() == 1 && answers == 1 && tokenizer.isPresent();
    StreamingPrinter printer = stream ? new StreamingPrinter(tokenizer.get()) : null;
    Generator.Rollout rollout = generator.generate(requests, params, sampling.seed == null ? 0 : sampling.seed, 0, stream ? printer : RolloutListener.NONE);
    if (stream) {
      printer.finish();
    } else {
      for (Episode episode : rollout.episodes()) {
        print(episode, tokenizer);
      }
    }
    if (!json) {
      summary(ready, rollout.stats());
    }
  }

  /** Of this JVM. */
  private static double secondsSinceStart() {
    long now = System.currentTimeMillis();
    return (now - ManagementFactory.getRuntimeMXBean().getStartTime()) * 1e-3;
  }

  private void print(Episode episode, Optional<Tokenizer> tokenizer) {
    if (!json) {
      System.out.printf("[%d.%d] %s%n", episode.problem(), episode.completion(),
          tokenizer.map(t -> t.decodeSkippingSpecial(episode.tokenIds())).orElseGet(() -> JsonLines.array(episode.tokenIds()).toString()));
      return;
    }
    ObjectNode object = JsonLines.JSON.createObjectNode();
    object.put("index", episode.problem());
    object.put("answer", episode.completion());
    object.set("prompt_ids", JsonLines.array(episode.promptIds()));
    object.set("new_ids", JsonLines.array(episode.tokenIds()));
    object.set("logprobs", JsonLines.array(episode.logprobs()));
    object.set("entropies", JsonLines.array(episode.entropies()));
    object.put("text", tokenizer.isPresent() ? episode.text() : null);
    object.put("finish_reason", episode.finishReason().name().toLowerCase(Locale.ROOT));
    JsonLines.print(System.out, object);
  }

  private static void summary(double ready, RolloutStats stats) {
    System.err.printf(Locale.ROOT, "ready in %.2f s; %d prompt and %d new tokens: prefill %.2f s, decode %.2f s, sampling %.2f s; %.1f new tokens/s%n",
        ready, stats.promptTokens(), stats.newTokens(), stats.prefillSeconds(), stats.decodeSeconds(), stats.sampleSeconds(), stats.tokensPerSecond());
  }

  /** Writes text as soon as its bytes are complete. */
  private static final class StreamingPrinter implements RolloutListener {
    private final StreamingDecoder decoder;

    StreamingPrinter(Tokenizer tokenizer) {
      this.decoder = new StreamingDecoder(tokenizer, true);
    }

    @Override
    public void token(int request, int answer, int tokenId) {
      System.out.print(decoder.add(tokenId));
      System.out.flush();
    }

    void finish() {
      System.out.println(decoder.finish());
    }
  }
}
