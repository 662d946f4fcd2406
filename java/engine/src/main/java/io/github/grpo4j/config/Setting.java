package io.github.grpo4j.config;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * A value given by the user.
 *
 * @param place where: {@code config.yaml:12}, or {@code --set a.b=c}
 */
record Setting(JsonNode value, String place) {}
