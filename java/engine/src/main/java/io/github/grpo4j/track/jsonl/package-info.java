/** A run's own record: {@link io.github.grpo4j.track.jsonl.JsonlTracker} keeps metrics and completions in files of one JSON object a line. */
package io.github.grpo4j.track.jsonl;
