package io.github.grpo4j.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;

/** Where a training run writes, what it goes on from and where it stops: the options that {@code train} and {@code sft} share. */
final class RunOptions {
  @Option(names = "--run-dir", paramLabel = "DIR", description = "Directory of everything the run writes (training.run_dir).")
  private Path runDir;

  @Option(names = "--resume", paramLabel = "auto|never|PATH",
      description = "auto: go on from the newest checkpoint of the run directory; never: start anew; or a checkpoint (training.resume).")
  private String resume;

  @Option(names = "--stop-after", paramLabel = "STEP", defaultValue = "2147483647",
      description = "Stop, with a checkpoint, after this step; schedules still aim at the whole run.")
  private int stopAfter;

  @Option(names = "--json", description = "One JSON object a line on standard output instead of the console view.")
  private boolean json;

  /** As assignments to the configuration. */
  List<String> assignments() {
    List<String> assignments = new ArrayList<>();
    if (runDir != null) {
      assignments.add("training.run_dir=" + runDir);
    }
    if (resume != null) {
      assignments.add("training.resume=" + resume);
    }
    return assignments;
  }

  int stopAfter() {
    return stopAfter;
  }

  boolean json() {
    return json;
  }
}
