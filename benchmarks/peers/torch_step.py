#!/usr/bin/env python3
"""The same GRPO step in plain PyTorch, as fast as we could write it: projections fused, the prompt prefilled once a group, a
preallocated cache, nothing padded, log-probs in chunks so that no logits of a whole batch exist, fused AdamW, and with
--compile torch.compile. Weights, gradients and AdamW states are all of --dtype. Prints the keys of `grpo4j bench step --json`.

    torch_step.py --shape 10m --dtype f32 --compile --repeat 3
"""
from shapes import STEPS, THREADS, arguments, report, timed

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint


def rotate(x, cos, sin):
    """x [batch, time, heads, head_dim], half-rotation layout."""
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Block(nn.Module):
    def __init__(self, hidden, heads, kv_heads, intermediate, eps):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim, self.eps = heads, kv_heads, hidden // heads, eps
        self.norm1, self.norm2 = nn.Parameter(torch.ones(hidden)), nn.Parameter(torch.ones(hidden))
        self.qkv = nn.Linear(hidden, (heads + 2 * kv_heads) * self.head_dim)
        self.out = nn.Linear(hidden, hidden, bias=False)
        self.gate_up = nn.Linear(hidden, 2 * intermediate, bias=False)
        self.down = nn.Linear(intermediate, hidden, bias=False)

    def project(self, x, cos, sin):
        batch, time, _ = x.shape
        qkv = self.qkv(F.rms_norm(x, x.shape[-1:], self.norm1, self.eps)).view(batch, time, -1, self.head_dim)
        q, k, v = qkv.split((self.heads, self.kv_heads, self.kv_heads), 2)
        return rotate(q, cos, sin).transpose(1, 2), rotate(k, cos, sin).transpose(1, 2), v.transpose(1, 2)

    def finish(self, x, attended):
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        gate, up = self.gate_up(F.rms_norm(x, x.shape[-1:], self.norm2, self.eps)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)

    def forward(self, x, cos, sin):
        q, k, v = self.project(x, cos, sin)
        return self.finish(x, F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)), k, v

    def decode(self, x, cos, sin, keys, values, position, mask):
        """One new token of every row; its key and value join the cache [rows, kv_heads, capacity, head_dim]."""
        q, k, v = self.project(x, cos, sin)
        keys.index_copy_(2, position, k)
        values.index_copy_(2, position, v)
        # The query heads that share a key head become rows of one product.
        grouped = q.reshape(q.shape[0], self.kv_heads, -1, self.head_dim)
        return self.finish(x, self.attend(grouped, keys, values, mask).reshape(q.shape))

    @staticmethod
    def attend(grouped, keys, values, mask):
        return F.scaled_dot_product_attention(grouped, keys, values, attn_mask=mask)


class Model(nn.Module):
    def __init__(self, config, capacity):
        super().__init__()
        hidden = config["hidden_size"]
        self.eps = config["rms_norm_eps"]
        self.embedding = nn.Parameter(torch.randn(config["vocab_size"], hidden) * 0.02)
        self.blocks = nn.ModuleList(
            Block(hidden, config["num_attention_heads"], config["num_key_value_heads"], config["intermediate_size"], self.eps)
            for _ in range(config["num_hidden_layers"]))
        self.norm = nn.Parameter(torch.ones(hidden))
        head_dim = hidden // config["num_attention_heads"]
        frequency = config["rope_theta"] ** -(torch.arange(0, head_dim, 2) / head_dim)
        angles = torch.arange(capacity)[:, None, None] * frequency
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def hidden(self, ids):
        """Final hidden states of whole sequences, and the keys and values of every block."""
        x, cache = F.embedding(ids, self.embedding), []
        for block in self.blocks:
            x, k, v = block(x, self.cos[:ids.shape[1]], self.sin[:ids.shape[1]])
            cache.append((k, v))
        return F.rms_norm(x, x.shape[-1:], self.norm, self.eps), cache

    def states(self, ids):
        return self.hidden(ids)[0]

    def step(self, ids, position, cache, mask):
        """Logits of the next token after one more token of every row."""
        x = F.embedding(ids[:, None], self.embedding)
        cos, sin = self.cos.index_select(0, position), self.sin.index_select(0, position)
        for block, (keys, values) in zip(self.blocks, cache):
            x = block.decode(x, cos, sin, keys, values, position, mask)
        return self.logits(F.rms_norm(x[:, 0], x.shape[-1:], self.norm, self.eps))

    def logits(self, states):
        return (states @ self.embedding.t()).float()


def chunk_logprob(states, embedding, targets):
    return -F.cross_entropy((states @ embedding.t()).float(), targets, reduction="none")


def main():
    parser = arguments(__doc__)
    parser.add_argument("--compile", action="store_true", help="torch.compile the forward passes")
    args = parser.parse_args()
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    shape = STEPS[args.shape]
    dtype = torch.float32 if args.dtype == "f32" else torch.bfloat16
    capacity = shape.prompt_tokens + shape.new_tokens
    vocab = shape.config["vocab_size"]
    model = Model(shape.config, capacity).to(dtype)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    states, step = model.states, model.step
    if args.compile:
        states, step = torch.compile(states, dynamic=False), torch.compile(step, dynamic=False)
    prompts = torch.randint(0, vocab, (shape.prompts, shape.prompt_tokens))
    all_prompts = prompts.repeat_interleave(shape.group, 0)
    advantages = torch.tensor([1.0, -1.0]).repeat(shape.answers // 2)[:, None]
    head = model.blocks[0]
    cache = [tuple(torch.zeros(shape.answers, head.kv_heads, capacity, head.head_dim, dtype=dtype) for _ in range(2)) for _ in model.blocks]

    @torch.no_grad()
    def rollout():
        final, prefilled = model.hidden(prompts)
        for (keys, values), (k, v) in zip(cache, prefilled):
            keys[:, :, :shape.prompt_tokens] = k.repeat_interleave(shape.group, 0)
            values[:, :, :shape.prompt_tokens] = v.repeat_interleave(shape.group, 0)
        logits = model.logits(final[:, -1]).repeat_interleave(shape.group, 0)
        mask = torch.full((1, 1, 1, capacity), float("-inf"), dtype=dtype)
        mask[..., :shape.prompt_tokens] = 0
        tokens, logprobs = [], []
        for position in range(shape.prompt_tokens, capacity):
            logp = logits.log_softmax(-1)
            # The Gumbel trick: the largest of log-prob plus noise is a sample.
            token = (logp - torch.empty_like(logp).exponential_().log()).argmax(-1)
            tokens.append(token)
            logprobs.append(logp.gather(1, token[:, None])[:, 0])
            if position + 1 < capacity:
                mask[..., position] = 0
                logits = step(token, torch.tensor([position]), cache, mask)
        return torch.stack(tokens, 1), torch.stack(logprobs, 1)

    rows = max(64, 2**24 // vocab)

    def backward(prompts, tokens, old, advantages):
        ids = torch.cat((prompts, tokens), 1)
        scored = states(ids)[:, shape.prompt_tokens - 1:-1].flatten(0, 1)
        parts = [checkpoint(chunk_logprob, s, model.embedding, t, use_reentrant=False)
                 for s, t in zip(scored.split(rows), tokens.flatten().split(rows))]
        ratio = (torch.cat(parts).view_as(old) - old).exp()
        loss = -torch.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).sum() / (shape.answers * shape.new_tokens)
        loss.backward()

    def update(tokens, old):
        sequences = max(1, shape.micro_batch_tokens // capacity)
        for micro in zip(*(t.split(sequences) for t in (all_prompts, tokens, old, advantages))):
            backward(*micro)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    drawn, trained, whole = [], [], []
    for repeat in range(args.repeat + 1):
        seconds, (tokens, old) = timed(rollout)
        more, _ = timed(lambda: update(tokens, old))
        if repeat > 0:  # the first one warms up and compiles
            drawn.append(seconds), trained.append(more), whole.append(seconds + more)
    report(shape, drawn, trained, whole)


if __name__ == "__main__":
    main()
