package io.github.grpo4j.run;

import java.io.IOException;
import java.nio.file.Path;

/** Something that a checkpoint keeps in files of its own, beside weights, optimizer and {@link RunState}. */
public interface CheckpointPart {
  /** @param checkpoint its folder; names in it must not be another's */
  void write(Path checkpoint) throws IOException;

  /** @param checkpoint its folder, which has passed its checksums; it may be older than this part and hold nothing of it */
  void read(Path checkpoint) throws IOException;
}
