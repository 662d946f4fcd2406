#!/usr/bin/env python3
"""Op by op in PyTorch: the ops of `grpo4j bench kernels` under their names, at the same shapes, in bf16; one JSON line each.

    torch_ops.py                              on a GPU, at the shapes of Qwen2.5-0.5B
    torch_ops.py --device cpu --size tiny     walks through it

First the ceilings, measured in the same run: a square matrix product and a copy, in random numbers. Where PyTorch has several ways
(eager, torch.compile, the kernels behind scaled_dot_product_attention) every one is a line with its `variant`: take the best.
A `us` is a call's time; `graph` says whether it was measured as a CUDA graph, without what launching costs.
"""
import math

import torch
import torch._functorch.config
import torch.nn.functional as F
from common import Bench, parser
from torch.nn.attention import SDPBackend, sdpa_kernel


class Ops:
    def __init__(self, bench):
        config, size = bench.config, bench.size
        self.bench, self.dtype = bench, bench.dtype
        self.hidden, self.mlp, self.vocab = config["hidden_size"], 2 * config["intermediate_size"], config["vocab_size"]
        self.heads, self.kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.head_dim = self.hidden // self.heads
        self.size, self.tokens = size, size.sequences * size.length
        self.eps = config["rms_norm_eps"]

    def normal(self, *shape, dtype=None, grad=False):
        return torch.randn(*shape, dtype=dtype or self.dtype).requires_grad_(grad)

    def measure(self, op, shape, variants):
        """variants: name to a function that prepares operands and returns the call."""
        for variant, prepare in variants.items():
            def work():
                seconds, captured = self.bench.seconds(prepare())
                self.bench.emit(op=op, variant=variant, shape=shape, us=seconds * 1e6, graph=captured)
            self.bench.guarded(work, op=op, variant=variant)

    def both(self, op, shape, function, *inputs):
        """Eager and compiled, without gradients."""
        def call(f):
            def run():
                with torch.no_grad():
                    return f(*inputs)
            return run
        variants = {"eager": lambda: call(function)}
        if not self.bench.args.no_compile:
            variants["compiled"] = lambda: call(self.bench.compile(function))
        self.measure(op, shape, variants)

    def backward(self, op, shape, function, inputs, dy):
        """The backward pass alone, of the graph that one forward pass left."""
        def prepare(f):
            def make():
                y = f(*inputs)
                return lambda: torch.autograd.grad(y, [x for x in inputs if x.requires_grad], dy, retain_graph=True)
            return make
        variants = {"eager": prepare(function)}
        if not self.bench.args.no_compile:
            variants["compiled"] = prepare(self.bench.compile(function))
        self.measure(op, shape, variants)

    # ---- ceilings ----

    def ceilings(self):
        cuda = self.bench.cuda
        side = 8192 if cuda else 256
        x, w = self.normal(side, side), self.normal(side, side)
        y = torch.empty(side, side, dtype=self.dtype)
        product, _ = self.bench.seconds(lambda: torch.mm(x, w.t(), out=y))
        megabytes = 1024 if cuda else 16
        source = self.normal(megabytes << 18, dtype=torch.float32)
        target = torch.empty_like(source)
        copy, _ = self.bench.seconds(lambda: target.copy_(source))
        self.bench.emit(ceiling="torch, " + self.bench.machine()["device"], torch=torch.__version__, gflops=2 * side**3 / product / 1e9,
                        gflops_by=f"matrix product of side {side}", gb_per_s=2 * 4 * source.numel() / copy / 1e9, gb_per_s_by=f"copying {megabytes} MiB")

    # ---- matrix products ----

    def linear(self, op, rows, columns, out=None):
        x, w = self.normal(rows, self.hidden), self.normal(columns, self.hidden)
        y = torch.empty(rows, columns, dtype=self.dtype)
        self.measure(op, f"{rows} x {columns} x {self.hidden}", {"eager": lambda: lambda: torch.mm(x, w.t(), out=y)})

    def linear_backward(self):
        rows, shape = self.tokens, f"{self.tokens} x {self.mlp} x {self.hidden}"
        dy, w, x = self.normal(rows, self.mlp), self.normal(self.mlp, self.hidden), self.normal(rows, self.hidden)
        dx, dw = torch.empty_like(x), torch.empty_like(w)
        self.measure("linear_backward_input", shape, {"eager": lambda: lambda: torch.mm(dy, w, out=dx)})
        # Into a bf16 gradient that is not added to: less than what ours does, which adds to fp32.
        self.measure("linear_backward_weight", shape, {"eager": lambda: lambda: torch.mm(dy.t(), x, out=dw)})

    # ---- rows ----

    def rows(self):
        n, h = self.tokens, self.hidden
        shape = f"{n} x {h}"
        x, other, w = self.normal(n, h, grad=True), self.normal(n, h), self.normal(h, grad=True)

        def norm(x, w):
            return F.rms_norm(x, (h,), w, self.eps)

        def add_norm(x, other, w):
            total = x + other
            return total, F.rms_norm(total, (h,), w, self.eps)
        self.both("rms_norm", shape, norm, x, w)
        self.both("add_rms_norm", shape, add_norm, x, other, w)
        self.backward("rms_norm_backward", shape, norm, [x, w], other)

    def swiglu(self):
        n, width = self.tokens, self.mlp // 2
        gate_up, dy = self.normal(n, self.mlp, grad=True), self.normal(n, width)

        def swiglu(gate_up):
            gate, up = gate_up.chunk(2, -1)
            return F.silu(gate) * up
        self.both("swiglu", f"{n} x {width}", swiglu, gate_up)
        self.backward("swiglu_backward", f"{n} x {width}", swiglu, [gate_up], dy)

    def rope(self):
        heads = self.heads + self.kv_heads
        x = self.normal(self.tokens, heads, self.head_dim)
        angles = torch.randn(self.tokens, 1, self.head_dim // 2)
        cos, sin = angles.cos(), angles.sin()

        def rotate(x, cos, sin):
            a, b = x.float().chunk(2, -1)
            return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(x.dtype)
        self.both("rope", f"{self.tokens} x {heads} heads", rotate, x, cos, sin)

    def embedding(self):
        ids = torch.randint(0, self.vocab, (self.tokens,))
        w, dy = self.normal(self.vocab, self.hidden, grad=True), self.normal(self.tokens, self.hidden)
        shape = f"{self.tokens} x {self.hidden}"
        self.measure("embedding", shape, {"eager": lambda: lambda: F.embedding(ids, w.detach())})

        def backward():
            y = F.embedding(ids, w)
            return lambda: torch.autograd.grad(y, w, dy, retain_graph=True)
        self.measure("embedding_backward", shape, {"eager": backward})

    # ---- attention ----

    def attention(self):
        size = self.size
        shape = f"{size.sequences} x {size.length}, {self.heads} heads"
        q = self.normal(size.sequences, self.heads, size.length, self.head_dim, grad=True)
        k, v = (self.normal(size.sequences, self.kv_heads, size.length, self.head_dim, grad=True) for _ in range(2))
        dO = torch.randn_like(q)
        kinds = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION} if self.bench.cuda else {"math": SDPBackend.MATH}

        def forward(kind):
            def run():
                with torch.no_grad(), sdpa_kernel([kind]):
                    return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
            return lambda: run

        def backward(kind):
            def make():
                with sdpa_kernel([kind]):
                    o = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
                return lambda: torch.autograd.grad(o, (q, k, v), dO, retain_graph=True)
            return make
        self.measure("attention", shape, {name: forward(kind) for name, kind in kinds.items()})
        self.measure("attention_backward", shape, {name: backward(kind) for name, kind in kinds.items()})

    def decode_attention(self):
        """Over a cache of its own for every row, in one piece: simpler than a paged one."""
        size, group = self.size, self.heads // self.kv_heads
        q = self.normal(size.rows, self.kv_heads, group, self.head_dim)
        k, v = (self.normal(size.rows, self.kv_heads, size.cached, self.head_dim) for _ in range(2))

        def products(q, k, v):
            weights = (q @ k.transpose(-1, -2) / math.sqrt(self.head_dim)).float().softmax(-1).to(q.dtype)
            return weights @ v
        shape = f"{size.rows} x {size.cached} cached"
        self.measure("attention_paged", shape, {"sdpa": lambda: lambda: F.scaled_dot_product_attention(q, k, v)})
        self.both("attention_paged", shape, products, q, k, v)

    # ---- logits ----

    def logits(self):
        rows, vocab = self.size.logit_rows, self.vocab
        shape = f"{rows} x {vocab}"
        logits, targets = self.normal(rows, vocab, dtype=torch.float32, grad=True), torch.randint(0, vocab, (rows,))
        dy = self.normal(rows, dtype=torch.float32)

        def logprob(logits):
            return logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(-1)
        self.both("logprob", shape, logprob, logits)
        self.backward("logprob_backward", shape, logprob, [logits], dy)

        def draw(logits):
            logp = logits.log_softmax(-1)
            # The largest of log-prob plus Gumbel noise is a sample.
            token = (logp - torch.empty_like(logp).exponential_().log()).argmax(-1)
            return token, logp.gather(1, token[:, None])[:, 0]

        def draw_top_p(logits):
            logp, ids = logits.log_softmax(-1).sort(-1, descending=True)
            p = logp.exp()
            kept = logp.masked_fill(p.cumsum(-1) - p > 0.95, float("-inf"))
            place = (kept - torch.empty_like(kept).exponential_().log()).argmax(-1, keepdim=True)
            return ids.gather(1, place)[:, 0], logp.gather(1, place)[:, 0]
        self.both("sample", shape, draw, logits)
        self.both("sample_top_p", shape, draw_top_p, logits)

    def head_loss(self):
        """Head, log-prob and their gradients over chunks of rows, so that the logits of a batch never exist together."""
        rows, chunk = max(1, self.tokens // 8), 2048 if self.bench.cuda else 8
        shape = f"{rows} x {self.vocab} x {self.hidden}"
        hidden, w = self.normal(rows, self.hidden), self.normal(self.vocab, self.hidden) * self.hidden**-0.5
        targets, weight = torch.randint(0, self.vocab, (rows,)), torch.randn(rows)
        dw = torch.zeros(self.vocab, self.hidden, dtype=torch.float32 if self.bench.cuda else self.dtype)

        def part(h, w, t, g):
            logits = (h @ w.t()).float()
            p = logits.softmax(-1)
            logp = p.gather(1, t[:, None]).log()
            d = -p * g[:, None]
            d = d.scatter_add(1, t[:, None], g[:, None]).to(h.dtype)
            return logp, d @ w, d

        def whole(f):
            def run():
                with torch.no_grad():
                    for h, t, g in zip(hidden.split(chunk), targets.split(chunk), weight.split(chunk)):
                        _, _, d = f(h, w, t, g)
                        dw.add_(d.t() @ h)
            return run
        variants = {"chunks, eager": lambda: whole(part)}
        if not self.bench.args.no_compile:
            variants["chunks, compiled"] = lambda: whole(self.bench.compile(part))
        self.measure("head_loss", shape, variants)

    # ---- optimizer ----

    def optimizer(self):
        rows = self.size.matrices * self.mlp
        shape = f"{rows} x {self.hidden}"
        parameter = torch.nn.Parameter(self.normal(rows, self.hidden, dtype=torch.float32))
        parameter.grad = torch.randn_like(parameter)
        weight = torch.empty(rows, self.hidden, dtype=self.dtype)

        def adamw(**kind):
            def make():
                optimizer = torch.optim.AdamW([parameter], lr=1e-5, capturable=self.bench.cuda, **kind)

                def run():
                    optimizer.step()
                    weight.copy_(parameter.detach())
                return run
            return make
        self.measure("adamw", shape, {"fused": adamw(fused=True), "foreach": adamw(foreach=True)})
        self.both("sum_squares", shape, lambda g: (g * g).sum(), parameter.grad)
        self.measure("cast_packed", shape, {"eager": lambda: lambda: weight.copy_(parameter.detach())})


def main():
    args = parser(__doc__).parse_args()
    # Backward passes are measured again and again on what one forward pass left; compiled ones would take its buffers for their own.
    torch._functorch.config.donated_buffer = False
    ops = Ops(Bench(args))
    bench = ops.bench
    bench.guarded(ops.ceilings, ceiling="torch")
    bench.guarded(lambda: ops.linear("linear", ops.tokens, ops.mlp), op="linear")
    bench.guarded(lambda: ops.linear("linear_decode_1", 1, ops.mlp), op="linear_decode_1")
    bench.guarded(lambda: ops.linear("linear_decode_32", 32, ops.mlp), op="linear_decode_32")
    bench.guarded(lambda: ops.linear("linear_decode", ops.size.rows, ops.mlp), op="linear_decode")
    bench.guarded(lambda: ops.linear("head_decode", ops.size.rows, ops.vocab), op="head_decode")
    for work in (ops.linear_backward, ops.attention, ops.rows, ops.swiglu, ops.rope, ops.decode_attention, ops.logits, ops.head_loss,
                 ops.optimizer, ops.embedding):
        bench.guarded(work, op=work.__name__)
    return 1 if bench.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
