/**
 * What a run tells about itself: metrics of every step under TRL's names, and samples of what the model writes.
 *
 * <pre>
 *   run ── Trackers ─┬─ RunRecord (track.jsonl: metrics.jsonl, samples.jsonl), on the run's thread
 *                    ├─ queue ── Tracker
 *                    └─ queue ── Tracker
 * </pre>
 *
 * A {@link io.github.grpo4j.track.Tracker} knows nothing of the algorithm: names, numbers and texts are all it gets.
 */
package io.github.grpo4j.track;
