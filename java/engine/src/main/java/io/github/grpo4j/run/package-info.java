/**
 * What a run leaves on the disk: its directory, its checkpoints, the state to go on from.
 *
 * <p>{@link io.github.grpo4j.run.CheckpointStore} publishes a checkpoint whole or not at all. A run that is resumed from one ends with the
 * same bytes as a run that was never stopped.
 */
package io.github.grpo4j.run;
