package io.github.grpo4j.benchmarks;

import io.github.grpo4j.backend.Backend;
import io.github.grpo4j.backend.DType;
import io.github.grpo4j.bench.Kernel;
import io.github.grpo4j.bench.KernelCall;
import io.github.grpo4j.bench.KernelLoad;
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
 * Every op of the catalogue that training or decoding spends time in, at the shapes of Qwen2.5-0.5B, with as much work as suits the
 * device ({@link KernelLoad}). {@link KernelCall} says what each of them runs. On a GPU a call includes launching it and waiting for
 * it; {@code grpo4j bench kernels} leaves both out.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = {"-Dorg.bytedeco.javacpp.maxBytes=0", "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0"})
public class KernelBenchmark {
  /** No names: every one. */
  @Param
  public Kernel op;

  @Param({"F32", "BF16"})
  public DType dtype;

  private Backend backend;
  private KernelCall call;

  @Setup(Level.Trial)
  public void open() {
    backend = Devices.open();
    call = new KernelCall(backend, Shapes.QWEN_05B.config(), dtype, op, KernelLoad.of(backend));
  }

  @TearDown(Level.Trial)
  public void close() {
    call.close();
    backend.close();
  }

  @Benchmark
  public void run() {
    call.run();
    backend.synchronize();
  }
}
