/**
 * Training runs, with GRPO and supervised.
 *
 * <pre>
 *   Trainer, SftTrainer ── RunLoop (evaluation, metrics, checkpoints, stop) ── one step after another
 *
 *   TrainingStep: problems ── Generator ── EpisodeScorer ── CreditPipeline ── PolicyUpdate ── weights
 * </pre>
 *
 * {@link io.github.grpo4j.train.TrainerBuilder} takes rewards, trackers and listeners of an embedding program.
 */
package io.github.grpo4j.train;
