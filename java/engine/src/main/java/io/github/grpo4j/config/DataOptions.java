package io.github.grpo4j.config;

import io.github.grpo4j.curriculum.Curriculum;
import io.github.grpo4j.curriculum.NoCurriculum;
import io.github.grpo4j.data.OverlongPrompts;
import io.github.grpo4j.options.Check;

/**
 * Which problems the model works on.
 *
 * @param kind where problems come from
 * @param path GSM8K: a directory with the splits, or one .jsonl or .parquet file of question and answer
 * @param configName GSM8K: sub-directory of {@code path} ("main", "socratic")
 * @param trainSplit GSM8K: name of the split that is trained on
 * @param evalSplit GSM8K: name of the split that is evaluated on
 * @param trainLimit use the first so many training problems; 0: all of them, or 10,000 synthetic ones
 * @param evalLimit evaluate on the first so many problems; 0: all
 * @param maxPromptTokens longest prompt
 * @param curriculum the order of the training problems
 * @param overlongPrompts ERROR refuses a data set with a longer one, SKIP leaves those problems out
 */
public record DataOptions(
    Kind kind,
    String path,
    String configName,
    String trainSplit,
    String evalSplit,
    int trainLimit,
    int evalLimit,
    Curriculum curriculum,
    int maxPromptTokens,
    OverlongPrompts overlongPrompts) {
  /** Sources of problems. */
  public enum Kind {
    /** Arithmetic word problems made on the spot, with a fixed held-out set. */
    SYNTHETIC,
    /** Files of the form of GSM8K: question, and a solution that ends with {@code #### N}. */
    GSM8K
  }

  static final DataOptions DEFAULTS = new DataOptions(Kind.SYNTHETIC, "", "main", "train", "test", 0, 0, new NoCurriculum(), 512, OverlongPrompts.ERROR);

  /** Synthetic problems that a training set has if no limit is given. */
  public static final int SYNTHETIC_PROBLEMS = 10_000;

  public DataOptions {
    Check.that(kind == Kind.SYNTHETIC || !path.isBlank(), "data.path", path, "the directory or file of the problems, as data.kind is gsm8k");
    Check.present("data.config_name", configName);
    Check.present("data.train_split", trainSplit);
    Check.present("data.eval_split", evalSplit);
    Check.atLeast(0, "data.train_limit", trainLimit);
    Check.atLeast(0, "data.eval_limit", evalLimit);
    Check.atLeast(1, "data.max_prompt_tokens", maxPromptTokens);
  }
}
