package io.github.grpo4j.episode;

/**
 * What a reward function found out about a completion's answer, apart from what it is worth.
 *
 * @param correct whether the final answer is right, whatever the format: the accuracy of evaluations and the curriculum
 * @param formatted whether the completion keeps the whole of the asked format
 * @param extracted the answer that was read out of the text, or null if none was found
 */
public record Verdict(boolean correct, boolean formatted, String extracted) {}
