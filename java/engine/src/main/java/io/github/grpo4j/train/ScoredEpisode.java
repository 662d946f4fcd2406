package io.github.grpo4j.train;

import io.github.grpo4j.data.Problem;
import io.github.grpo4j.reward.Reward;
import io.github.grpo4j.rollout.Episode;

/**
 * An episode and what it was worth.
 *
 * @param group number of the question within the step, from 0: answers to one question share it
 */
public record ScoredEpisode(Episode episode, Problem problem, int group, Reward reward) {}
