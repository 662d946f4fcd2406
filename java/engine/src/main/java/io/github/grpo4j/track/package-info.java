/**
 * What a run tells about itself: metrics of every step under TRL's names, and samples of what the model writes. A
 * {@link io.github.grpo4j.track.Tracker} takes both; {@link io.github.grpo4j.track.JsonlTracker} keeps them in the run
 * directory.
 */
package io.github.grpo4j.track;
