package io.github.grpo4j.config;

/**
 * A value given by the user, a preset or an alias.
 *
 * @param value as it was written
 * @param place where: {@code config.yaml:12}, {@code --set a.b=c} or {@code preset dapo}
 * @param name the key as it was written, which for an alias is not the option's own
 * @param lenient an alias of a key that not every kind has: it is left out where the chosen kind lacks it
 */
record GivenOption(YamlNode value, String place, String name, boolean lenient) {
  GivenOption(YamlNode value, String place, String name) {
    this(value, place, name, false);
  }
}
