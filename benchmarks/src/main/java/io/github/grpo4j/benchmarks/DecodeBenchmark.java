package io.github.grpo4j.benchmarks;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.model.RandomWeights;
import io.github.grpo4j.rollout.Generator;
import io.github.grpo4j.rollout.RolloutListener;
import io.github.grpo4j.rollout.RolloutRequest;
import io.github.grpo4j.rollout.SamplingParams;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A rollout of {@code batch} independent prompts of 64 tokens, 32 new tokens each, no end of sequence. The score is the time
 * of the whole rollout; {@code batch * 32 / time} is tokens a second.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 1, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(value = 1, jvmArgsAppend = {"-Dorg.bytedeco.javacpp.maxBytes=0", "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0"})
public class DecodeBenchmark {
  private static final int PROMPT_TOKENS = 64;
  private static final int NEW_TOKENS = 32;

  @Param({"TINY", "M10"})
  public Shapes shape;

  @Param({"F32", "BF16"})
  public DType dtype;

  @Param({"1", "8", "32"})
  public int batch;

  private Backend backend;
  private ModelWeights weights;
  private CausalLm model;
  private Generator generator;
  private List<RolloutRequest> requests;
  private int step;

  @Setup(Level.Trial)
  public void open() {
    backend = Devices.open();
    weights = RandomWeights.create(backend, shape.config(), dtype, 1);
    model = new CausalLm(backend, weights, PROMPT_TOKENS + NEW_TOKENS);
    generator = new Generator(model, Generator.Limits.of(batch, PROMPT_TOKENS + NEW_TOKENS), Set.of(), shape.config().vocabSize(), ids -> "");
    requests = new ArrayList<>();
    for (int i = 0; i < batch; i++) {
      int[] prompt = new int[PROMPT_TOKENS];
      Arrays.setAll(prompt, t -> (t * 31 + 7) % shape.config().vocabSize());
      requests.add(new RolloutRequest(i, prompt, 1));
    }
  }

  @TearDown(Level.Trial)
  public void close() {
    generator.close();
    model.close();
    weights.close();
    backend.close();
  }

  @Benchmark
  public Generator.Rollout rollout() {
    return generator.generate(requests, SamplingParams.atTemperature(1, NEW_TOKENS), 1, step++, RolloutListener.NONE);
  }
}
