/**
 * A second writing of training: slow, plain, in double arithmetic, and with nothing of the engine but its file readers. It replays short
 * runs of the built-in model from what they sampled and must come to the same advantages, losses, metrics, rates and weights. So it sees
 * what no test of a part can see: how the parts are wired.
 *
 * <p>{@link io.github.grpo4j.referee.RefereedRun} is the only place that touches the trainer.
 */
package io.github.grpo4j.referee;
