package io.github.grpo4j.cli;

import io.github.grpo4j.run.RunDirectory;
import io.github.grpo4j.train.Trainer;
import io.github.grpo4j.train.TrainingListener;

/** What a training run looks like from outside. */
interface TrainingView extends TrainingListener {
  void finished(Trainer.Outcome outcome, RunDirectory directory);
}
