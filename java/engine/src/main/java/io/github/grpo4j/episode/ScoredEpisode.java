package io.github.grpo4j.episode;

import io.github.grpo4j.data.Problem;

/**
 * An episode and what it was worth.
 *
 * @param group number of the question within the step, from 0: completions to one question share it
 */
public record ScoredEpisode(Episode episode, Problem problem, int group, Reward reward) {}
