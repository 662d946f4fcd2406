package io.github.grpo4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.grpo4j.config.ConfigLoader;
import io.github.grpo4j.config.RunConfig;
import io.github.grpo4j.episode.Episode;
import io.github.grpo4j.episode.ScoredEpisode;
import io.github.grpo4j.testing.Accuracy;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.track.Metrics;
import io.github.grpo4j.track.Outcome;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The default run, config.yaml, begins the same on the CUDA back end and on the CPU: rollout, reward, advantage, update. */
class DemoOnCudaTest {
  private static final int STEPS = 3;

  @TempDir Path folder;

  /** What a run showed of itself, by step. */
  private static final class Recorder implements TrainingListener {
    final List<Map<String, Number>> metrics = new ArrayList<>();
    final List<List<ScoredEpisode>> episodes = new ArrayList<>();

    @Override
    public void episodes(int step, List<ScoredEpisode> scored) {
      episodes.add(scored);
    }

    @Override
    public void step(int step, Map<String, Number> values) {
      metrics.add(values);
    }
  }

  private Recorder run(String device) {
    RunConfig config = ConfigLoader.load(Path.of(System.getProperty("grpo4j.root"), "config.yaml"),
        List.of("backend.device=" + device, "training.run_dir=" + folder.resolve(device), "training.eval_interval=0"));
    Recorder recorder = new Recorder();
    try (Trainer trainer = Trainer.open(config, recorder)) {
      assertEquals(Outcome.STOPPED, trainer.run(STEPS));
    }
    return recorder;
  }

  /**
   * Equal random numbers choose equal tokens unless one falls within the rounding of a sum, and with this seed none does. So every
   * step computes on the same episodes, and what it reports differs by the rounding of fp32 sums alone.
   */
  @Test
  void threeStepsAgreeWithTheCpus() {
    TestBackends.assumeCuda("compares the CUDA back end with the CPU's");
    Recorder cpu = run("cpu");
    Recorder cuda = run("cuda");
    assertEquals(STEPS, cuda.metrics.size());
    for (int step = 0; step < STEPS; step++) {
      String what = "step " + (step + 1) + " ";
      sameEpisodes(what, cpu.episodes.get(step), cuda.episodes.get(step));
      Map<String, Number> expected = cpu.metrics.get(step);
      Map<String, Number> actual = cuda.metrics.get(step);
      assertEquals(expected.get("reward"), actual.get("reward"), what + "reward");
      assertEquals(expected.get("loss").doubleValue(), actual.get("loss").doubleValue(), 1e-6, what + "loss");
      for (String name : List.of("entropy", Metrics.GRAD_NORM)) {
        double right = expected.get(name).doubleValue();
        assertEquals(right, actual.get(name).doubleValue(), 1e-5 * right, what + name);
      }
    }
  }

  private static void sameEpisodes(String what, List<ScoredEpisode> expected, List<ScoredEpisode> actual) {
    assertEquals(expected.size(), actual.size(), what + "episodes");
    for (int i = 0; i < expected.size(); i++) {
      Episode right = expected.get(i).episode();
      Episode same = actual.get(i).episode();
      String which = what + "episode " + i;
      assertArrayEquals(right.tokenIds(), same.tokenIds(), which);
      Accuracy.assertMaxAbs(which + " log-probs", Accuracy.toDoubles(right.logprobs()), same.logprobs(), 1e-4);
      assertEquals(expected.get(i).reward().total(), actual.get(i).reward().total(), which);
    }
  }
}
