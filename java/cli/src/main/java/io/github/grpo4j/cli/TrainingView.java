package io.github.grpo4j.cli;

import io.github.grpo4j.run.RunDirectory;
import io.github.grpo4j.track.Outcome;
import io.github.grpo4j.train.TrainingListener;

/** What a training run looks like from outside. */
interface TrainingView extends TrainingListener {
  void finished(Outcome outcome, RunDirectory directory);
}
