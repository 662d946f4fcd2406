package io.github.grpo4j.benchmarks;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.model.CausalLm;
import io.github.grpo4j.model.Gradients;
import io.github.grpo4j.model.ModelWeights;
import io.github.grpo4j.model.RandomWeights;
import io.github.grpo4j.optim.AdamW;
import io.github.grpo4j.update.GradientPass;
import io.github.grpo4j.update.LinearLoss;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
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
 * Forward, backward, clipping and AdamW over 8 sequences of 192 tokens, the last 128 of them scored.
 * {@code 1536 / time} is trained tokens a second.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 1, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(value = 1, jvmArgsAppend = {"-Dorg.bytedeco.javacpp.maxBytes=0", "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0"})
public class TrainStepBenchmark {
  private static final int SEQUENCES = 8;
  private static final int PROMPT_TOKENS = 64;
  private static final int TOKENS = 192;

  @Param({"TINY", "M10"})
  public Shapes shape;

  @Param({"F32", "BF16"})
  public DType dtype;

  private Backend backend;
  private ModelWeights weights;
  private CausalLm model;
  private Gradients gradients;
  private AdamW optimizer;
  private GradientPass pass;
  private List<GradientPass.Sample> samples;
  private float[] dLogprob;

  @Setup(Level.Trial)
  public void open() {
    backend = Devices.open();
    weights = RandomWeights.create(backend, shape.config(), dtype, 1);
    model = new CausalLm(backend, weights, TOKENS);
    gradients = new Gradients(backend, weights);
    optimizer = new AdamW(backend, weights, new AdamW.Settings(0.9, 0.999, 1e-8, 0, false, 1));
    pass = new GradientPass(model, SEQUENCES * TOKENS, TOKENS, CausalLm.Recompute.NONE);
    samples = new ArrayList<>();
    for (int s = 0; s < SEQUENCES; s++) {
      int[] ids = new int[TOKENS];
      int offset = s;
      Arrays.setAll(ids, t -> (t * 31 + offset) % shape.config().vocabSize());
      samples.add(new GradientPass.Sample(ids, PROMPT_TOKENS));
    }
    dLogprob = new float[SEQUENCES * (TOKENS - PROMPT_TOKENS)];
    Arrays.fill(dLogprob, -1f / dLogprob.length);
  }

  @TearDown(Level.Trial)
  public void close() {
    pass.close();
    optimizer.close();
    gradients.close();
    model.close();
    weights.close();
    backend.close();
  }

  @Benchmark
  public AdamW.StepResult trainStep() {
    gradients.zero();
    pass.backward(samples, new LinearLoss(backend, dLogprob, 1), gradients);
    AdamW.StepResult result = optimizer.step(gradients, 1e-6);
    backend.synchronize();
    return result;
  }
}
