/** The trackers that a configuration can name, listed apart from their interface: their packages import it. */
package io.github.grpo4j.track.builtin;
