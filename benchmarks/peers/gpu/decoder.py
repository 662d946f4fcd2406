"""Generation by hand-written PyTorch on a GPU: the model of torch_step.py with compiled layers and one CUDA graph a decoding step,
the sampling and the log-probs inside it. The attention of a step reads the cache in pieces of 128 positions, so there is a graph for every
number of pieces.
"""
import math

import common  # noqa: F401  it puts the folder of torch_step on the path
import torch
from torch_step import Block, Model

PIECE = 128


def products(grouped, keys, values, mask):
    """Attention of a step as two batched products; PyTorch's own kernels are not made for one query."""
    weights = grouped @ keys.transpose(-1, -2) / math.sqrt(grouped.shape[-1]) + mask
    return weights.float().softmax(-1).to(values.dtype) @ values


def create(bench, capacity, attention="sdpa", compiled=True):
    """A model with random weights; its layers are compiled for the whole process."""
    if attention == "products":
        Block.attend = staticmethod(products)
    if compiled:
        Block.decode = bench.compile(Block.decode)
        Block.forward = bench.compile(Block.forward)
    return Model(bench.config, capacity).to(bench.dtype)


class Decoder:
    def __init__(self, bench, model, rows, capacity):
        self.bench, self.model, self.rows, self.capacity = bench, model, rows, capacity
        head = model.blocks[0]
        self.cache = [tuple(torch.zeros(rows, head.kv_heads, capacity, head.head_dim, dtype=bench.dtype) for _ in range(2))
                      for _ in model.blocks]
        self.token = torch.zeros(rows, dtype=torch.int64)
        self.position = torch.zeros(1, dtype=torch.int64)
        self.slot = torch.zeros(1, dtype=torch.int64)
        self.places = torch.arange(capacity)
        self.tokens = torch.zeros(rows, capacity, dtype=torch.int64)
        self.logprobs = torch.zeros(rows, capacity)
        self.draw = bench.compile(self.sample)
        self.graphs = {}

    @staticmethod
    def sample(logits):
        logp = logits.log_softmax(-1)
        # The largest of log-prob plus Gumbel noise is a sample.
        token = (logp - torch.empty_like(logp).exponential_().log()).argmax(-1)
        return token, logp.gather(1, token[:, None])[:, 0]

    def take(self, logits):
        token, logprob = self.draw(logits)
        self.token.copy_(token)
        self.tokens.index_copy_(1, self.slot, token[:, None])
        self.logprobs.index_copy_(1, self.slot, logprob[:, None])
        self.slot.add_(1)

    def step(self, length):
        mask = torch.where(self.places[:length] <= self.position, 0.0, float("-inf")).to(self.bench.dtype).view(1, 1, 1, length)
        seen = [(keys[:, :, :length], values[:, :, :length]) for keys, values in self.cache]
        logits = self.model.step(self.token, self.position, seen, mask)
        self.position.add_(1)
        self.take(logits)

    def pieces(self, positions):
        return min(self.capacity, (positions + PIECE - 1) // PIECE * PIECE)

    @torch.no_grad()
    def capture(self, first, last):
        """Graphs for caches of first to last positions."""
        if not self.bench.cuda:
            return
        for length in sorted({self.pieces(n) for n in range(first, last + 1)} - set(self.graphs)):
            for _ in range(3):
                self.restart(first - 1)
                self.step(length)
            self.restart(first - 1)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self.bench.stream):
                self.step(length)
            self.graphs[length] = graph

    def restart(self, position):
        self.position.fill_(position)
        self.slot.zero_()

    @torch.no_grad()
    def prefill(self, prompts, group):
        """Each prompt once; its cache goes to all answers of its group, which draw their first tokens."""
        length = prompts.shape[1]
        first = []
        for begin in range(0, prompts.shape[0], 32):
            part = prompts[begin:begin + 32]
            final, made = self.model.hidden(part)
            rows = slice(begin * group, (begin + part.shape[0]) * group)
            for (keys, values), (k, v) in zip(self.cache, made):
                keys[rows, :, :length] = k.repeat_interleave(group, 0)
                values[rows, :, :length] = v.repeat_interleave(group, 0)
            first.append(final[:, -1])
        self.restart(length)
        self.take(self.model.logits(torch.cat(first)).repeat_interleave(group, 0))

    @torch.no_grad()
    def decode(self, length, steps):
        """So many steps after a prefill of length positions."""
        for i in range(steps):
            seen = self.pieces(length + i + 1)
            if seen in self.graphs:
                self.graphs[seen].replay()
            else:
                self.step(seen)

    @torch.no_grad()
    def error(self, prompts, group, new):
        """Mean difference of the log-probs from those of one forward pass over prompt and answer: whether it does what it should."""
        rows = min(4, self.rows)
        ids = torch.cat((prompts.repeat_interleave(group, 0)[:rows], self.tokens[:rows, :new]), 1)
        states = self.model.states(ids)[:, prompts.shape[1] - 1:-1]
        again = self.model.logits(states).log_softmax(-1).gather(-1, self.tokens[:rows, :new, None])[..., 0]
        return (again - self.logprobs[:rows, :new]).abs().mean().item()
