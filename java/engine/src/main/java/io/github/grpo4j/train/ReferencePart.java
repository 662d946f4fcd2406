package io.github.grpo4j.train;

import io.github.grpo4j.model.ModelDirectory;
import io.github.grpo4j.run.CheckpointPart;
import io.github.grpo4j.run.ModelState;
import io.github.grpo4j.update.ReferencePolicy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A reference model that follows the policy, in a checkpoint's folder {@value #FOLDER}. A frozen one needs no place there. */
record ReferencePart(ReferencePolicy reference, ModelState policy) implements CheckpointPart {
  private static final String FOLDER = "reference";

  @Override
  public void write(Path checkpoint) throws IOException {
    Path folder = Files.createDirectory(checkpoint.resolve(FOLDER));
    IOException[] failure = new IOException[1];
    reference.read(weights -> {
      try {
        ModelDirectory.save(policy.backend(), weights, folder, policy.source());
      } catch (IOException e) {
        failure[0] = e;
      }
    });
    if (failure[0] != null) {
      throw failure[0];
    }
  }

  @Override
  public void read(Path checkpoint) {
    Path folder = checkpoint.resolve(FOLDER);
    if (Files.isDirectory(folder)) {
      reference.change(weights -> ModelDirectory.loadInto(policy.backend(), folder, weights));
    }
  }
}
