#!/usr/bin/env python3
"""A GRPO step of TRL's GRPOTrainer with transformers' generate, at the shapes of shapes.py: DAPO loss, no KL, no gradient
checkpointing, plain weights of --dtype. Needs torch, transformers, trl, datasets; prints the keys of `grpo4j bench step --json`.

    trl_step.py --shape 10m --dtype f32 --repeat 3
"""
import os
import tempfile
import time
import warnings

from shapes import STEPS, THREADS, arguments, report

warnings.filterwarnings("ignore")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")


def tokenizer(words):
    """One token a word, and an end of sequence that the model has no logit for: every answer has full length. Special tokens are
    looked for inside words too, before the words are split, so none of them may be the beginning of a word."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    vocabulary = {"<unknown>": 0, "<pad>": 1, **{f"w{i}": i for i in range(2, words)}, "<end>": words}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unknown>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", eos_token="<end>", unk_token="<unknown>")


def main():
    args = arguments(__doc__).parse_args()
    import torch
    from datasets import Dataset
    from transformers import Qwen2Config, Qwen2ForCausalLM, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    step = STEPS[args.shape]
    words = step.config["vocab_size"]
    config = Qwen2Config(**step.config, bos_token_id=None, eos_token_id=None, pad_token_id=1)
    model = Qwen2ForCausalLM(config).to(torch.float32 if args.dtype == "f32" else torch.bfloat16)
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 1

    rounds = args.repeat + 1
    draw = torch.Generator().manual_seed(1)
    texts = [" ".join(f"w{i}" for i in torch.randint(2, words, (step.prompt_tokens,), generator=draw).tolist())
             for _ in range(step.prompts * rounds)]
    rollout, prepared, whole = [], [], []

    class Timed(GRPOTrainer):
        def _generate_single_turn(self, prompts, *a, **k):
            if any(len(prompt) != step.prompt_tokens for prompt in prompts):
                raise RuntimeError(f"prompts of {sorted({len(prompt) for prompt in prompts})} tokens, not {step.prompt_tokens}")
            start = time.perf_counter()
            result = super()._generate_single_turn(prompts, *a, **k)
            rollout.append(time.perf_counter() - start)
            if any(len(answer) != step.new_tokens for answer in result[0]):
                raise RuntimeError("an answer ended early")
            return result

        def _generate_and_score_completions(self, *a, **k):
            start = time.perf_counter()
            result = super()._generate_and_score_completions(*a, **k)
            prepared.append(time.perf_counter() - start)
            return result

    class Clock(TrainerCallback):
        def on_step_begin(self, *a, **k):
            self.start = time.perf_counter()

        def on_step_end(self, *a, **k):
            whole.append(time.perf_counter() - self.start)

    with tempfile.TemporaryDirectory() as folder:
        settings = GRPOConfig(
            output_dir=folder, per_device_train_batch_size=step.answers, gradient_accumulation_steps=1, num_generations=step.group,
            max_completion_length=step.new_tokens, max_steps=rounds, learning_rate=1e-6, beta=0.0, loss_type="dapo", temperature=1.0,
            use_cpu=True, bf16=False, gradient_checkpointing=False, report_to=[], save_strategy="no", logging_steps=10_000, disable_tqdm=True)
        trainer = Timed(
            model=model, args=settings, processing_class=tokenizer(words), callbacks=[Clock()],
            train_dataset=Dataset.from_dict({"prompt": texts}),
            # Rewards that differ within every group: no advantage is zero.
            reward_funcs=[lambda completions, **k: torch.rand(len(completions), generator=draw).tolist()])
        trainer.train()
    # The first step warms up. A step holds generation, scoring and the update.
    train = [w - p for w, p in zip(whole, prepared)]
    report(step, rollout[1:], train[1:], whole[1:])


if __name__ == "__main__":
    main()
