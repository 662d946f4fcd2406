/** How the C headers of the op catalogue become Java classes. Read by the build, before everything else is compiled. */
package io.github.grpo4j.backend.presets;
