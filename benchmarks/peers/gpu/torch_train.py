#!/usr/bin/env python3
"""A GRPO step in PyTorch on a GPU: the keys of `grpo4j bench step --json`, counted as it counts. bf16 weights and gradients, fp32
masters and AdamW states, clipping at 1, the clipped objective averaged over tokens, advantages of +1 and -1 in turn.

    torch_train.py --engine compiled          hand-written: a prompt is prefilled once for its group, CUDA graphs decode (decoder.py), layers
                                              are compiled, log-probs come in chunks so that the logits of a batch never exist
    torch_train.py --engine hf-eager          transformers' model, the update alone
    torch_train.py --engine hf-compiled       the same, compiled

In training every answer carries its prompt; ours computes it once for the group. Gradients of several micro-batches add up in bf16, ours
in fp32.
"""
import statistics

import decoder
import torch
from common import Bench, parser
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch_step import chunk_logprob

LOGIT_ROWS = 2048


class Masters:
    """AdamW in fp32 for weights in bf16."""

    def __init__(self, model, fused):
        self.weights = [p for p in model.parameters() if p.requires_grad]
        self.masters = [nn.Parameter(p.detach().float()) for p in self.weights]
        self.adamw = torch.optim.AdamW(self.masters, lr=1e-6, betas=(0.9, 0.99), weight_decay=0.0, fused=fused)

    def step(self):
        for master, weight in zip(self.masters, self.weights):
            master.grad = weight.grad.float()
            weight.grad = None
        nn.utils.clip_grad_norm_(self.masters, 1.0)
        self.adamw.step()
        self.adamw.zero_grad(set_to_none=True)
        with torch.no_grad():
            torch._foreach_copy_(self.weights, self.masters)


class Step:
    def __init__(self, bench):
        size = bench.size
        self.bench, self.size = bench, size
        self.answers = size.prompts * size.group
        self.length = size.step_prompt + size.step_new
        self.prompts = torch.randint(0, bench.config["vocab_size"], (size.prompts, size.step_prompt))
        self.advantages = torch.tensor([1.0, -1.0]).repeat(self.answers // 2)[:, None]
        self.sequences = max(1, size.micro // self.length)

    def update(self, logprobs, optimizer, tokens, old):
        """Forward and backward of all micro-batches, then AdamW. logprobs: (ids, tokens) to the log-probs of the tokens."""
        ids = torch.cat((self.prompts.repeat_interleave(self.size.group, 0), tokens), 1)
        for part in torch.arange(self.answers).split(self.sequences):
            ratio = (logprobs(ids[part], tokens[part]) - old[part]).exp()
            advantage = self.advantages[part]
            loss = -torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).sum() / tokens.numel()
            loss.backward()
        optimizer.step()

    def repeated(self, once):
        """Seconds of the parts of a step, one list of them a repeat, after one of warm-up."""
        once()
        return [once() for _ in range(self.bench.args.repeat)]

    def report(self, rollout, train, whole):
        drawn, trained = self.answers * self.size.step_new, self.answers * self.length
        self.bench.emit(
            engine=self.bench.args.engine, prompts=self.size.prompts, group=self.size.group, prompt_tokens=self.size.step_prompt,
            new_tokens=self.size.step_new, rollout_tokens_per_s=rollout and drawn / rollout, train_tokens_per_s=trained / train,
            step_s=whole, tensor_mib=self.bench.peak_mib())


def hand_written(bench):
    step = Step(bench)
    capacity = decoder.PIECE * -(-step.length // decoder.PIECE)
    model = decoder.create(bench, capacity, bench.args.attention)
    runner = decoder.Decoder(bench, model, step.answers, capacity)
    runner.capture(step.size.step_prompt + 1, step.length)
    optimizer = Masters(model, bench.cuda)
    chunk = bench.compile(chunk_logprob)

    def logprobs(ids, tokens):
        states = model.states(ids)[:, step.size.step_prompt - 1:-1].flatten(0, 1)
        parts = [checkpoint(chunk, s, model.embedding, t, use_reentrant=False)
                 for s, t in zip(states.split(LOGIT_ROWS), tokens.flatten().split(LOGIT_ROWS))]
        return torch.cat(parts).view(tokens.shape)

    def draw():
        runner.prefill(step.prompts, step.size.group)
        runner.decode(step.size.step_prompt, step.size.step_new - 1)

    def once():
        drawn = bench.clock(draw)
        tokens, old = (x[:, :step.size.step_new].clone() for x in (runner.tokens, runner.logprobs))
        return drawn, bench.clock(lambda: step.update(logprobs, optimizer, tokens, old))
    times = step.repeated(once)
    step.report(statistics.median(t[0] for t in times), statistics.median(t[1] for t in times), statistics.median(sum(t) for t in times))


def transformers(bench):
    from transformers import Qwen2Config, Qwen2ForCausalLM
    step = Step(bench)
    config = Qwen2Config(**bench.config, bos_token_id=None, eos_token_id=None, pad_token_id=0)
    model = Qwen2ForCausalLM(config).to(bench.dtype)
    forward = bench.compile(model.forward) if bench.args.engine == "hf-compiled" else model.forward
    optimizer = Masters(model, bench.cuda)
    # Its logits exist for all new tokens of a micro-batch: a quarter of ours, or they would not fit.
    step.sequences = max(1, step.sequences // 4)
    tokens = torch.randint(0, bench.config["vocab_size"], (step.answers, step.size.step_new))
    old = torch.full(tokens.shape, -torch.tensor(float(bench.config["vocab_size"])).log().item())

    def logprobs(ids, tokens):
        logits = forward(input_ids=ids, use_cache=False, logits_to_keep=tokens.shape[1] + 1).logits[:, :-1]
        # Row by row, so that the fp32 copy is that of one answer.
        return torch.stack([row.float().log_softmax(-1).gather(-1, t[:, None])[:, 0] for row, t in zip(logits, tokens)])
    times = step.repeated(lambda: bench.clock(lambda: step.update(logprobs, optimizer, tokens, old)))
    step.report(None, statistics.median(times), None)


def main():
    options = parser(__doc__)
    options.add_argument("--engine", choices=["compiled", "hf-eager", "hf-compiled"], default="compiled")
    options.add_argument("--attention", choices=["sdpa", "products"], default="products")
    bench = Bench(options.parse_args())
    bench.guarded(lambda: hand_written(bench) if bench.args.engine == "compiled" else transformers(bench), engine=bench.args.engine)
    return 1 if bench.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
