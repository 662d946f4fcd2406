"""Makes half_noise_floor.json: how far PyTorch's own bf16 and fp16 are from float64 on the golden inputs of fixtures/ops.

    python half_noise_floor.py ../../../../fixtures/ops > half_noise_floor.json      (torch, numpy, safetensors; a CPU will do)

The operators are written as transformers writes them. Inputs are the fixtures' bf16 ones; nearly all are fp16 numbers, too, and the rest
is rounded. Errors are relative Frobenius norms against the golden values, of log-probs and entropies the largest absolute ones.
"""
import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open

TYPES = {"BF16": torch.bfloat16, "F16": torch.float16}


class File:
    def __init__(self, name):
        with safe_open(Path(sys.argv[1]) / f"{name}.safetensors", "pt") as f:
            self.tensors = {key: f.get_tensor(key) for key in f.keys()}

    def __getitem__(self, key):
        return self.tensors[key]

    def half(self, dtype, *keys):
        return [self[key].to(dtype, copy=True).requires_grad_() for key in keys]


def relative(golden, ours):
    golden = golden.double()
    return ((ours.double().reshape(golden.shape) - golden).norm() / golden.norm()).item()


def largest(golden, ours):
    return (ours.double() - golden.double()).abs().max().item()


def rmsnorm(x, w, eps):
    wide = x.float()
    return w * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)).to(x.dtype)


def rmsnorm_floors(file, dtype):
    for width in ("64", "896"):
        for eps in ("1e-06", "1e-05"):
            x, w = file.half(dtype, f"bf16.{width}.x", f"bf16.{width}.w")
            y = rmsnorm(x, w, float(eps))
            y.backward(file[f"bf16.{width}.dy"].to(dtype))
            name = f"bf16.{width}.eps{eps}"
            yield f"rmsnorm {name}", {k: relative(file[f"{name}.{k}"], v) for k, v in (("y", y), ("dx", x.grad), ("dw", w.grad))}


def rotated(x, cos, sin):
    low, high = x.chunk(2, -1)
    return x * cos + torch.cat((-high, low), -1) * sin


def rope_floors(file, dtype):
    """Against float64 on the same rounded inputs: the golden values belong to fp32 ones."""
    for d in ("d16", "d64"):
        cos, sin = (file[f"{d}.{name}_f64"].repeat(1, 2)[:, None] for name in ("cos", "sin"))
        x, dy = file.half(dtype, f"{d}.x", f"{d}.dy")
        y = rotated(x, cos.to(dtype), sin.to(dtype))
        y.backward(dy)
        wide = x.detach().double().requires_grad_()
        golden = rotated(wide, cos, sin)
        golden.backward(dy.detach().double())
        yield f"rope {d}", {"y": relative(golden, y), "dx": relative(wide.grad, x.grad)}


def attention_floors(file, dtype):
    q, k, v = file.half(dtype, "bf16.q", "bf16.k", "bf16.v")
    cu = file["cu_seqlens"].tolist()
    parts = []
    for begin, end in zip(cu, cu[1:]):
        heads = [t[begin:end].transpose(0, 1)[None] for t in (q, k, v)]
        parts.append(F.scaled_dot_product_attention(*heads, is_causal=True, enable_gqa=True)[0].transpose(0, 1))
    o = torch.cat(parts)
    o.backward(file["bf16.do"].to(dtype))
    yield "", {n: relative(file[f"bf16.{n}"], t) for n, t in (("o", o), ("dq", q.grad), ("dk", k.grad), ("dv", v.grad))}


def swiglu_floors(file, dtype):
    gate, up = file.half(dtype, "bf16.gate", "bf16.up")
    y = F.silu(gate) * up
    y.backward(file["bf16.dy"].to(dtype))
    yield "swiglu", {n: relative(file[f"bf16.{n}"], t) for n, t in (("y", y), ("dgate", gate.grad), ("dup", up.grad))}


def linear_floors(file, dtype):
    x, w, b = file.half(dtype, "bf16.x", "bf16.w", "bf16.b")
    y = F.linear(x, w, b)
    y.backward(file["bf16.dy"].to(dtype))
    yield "linear", {n: relative(file[f"bf16.{n}"], t) for n, t in (("y", y), ("dx", x.grad), ("dw", w.grad), ("db", b.grad))}


def linear_logprob_floors(file, dtype):
    for t in ("T1", "T0.7"):
        h, w = file.half(dtype, "bf16.h", "bf16.w")
        logp = F.log_softmax(F.linear(h, w).float() / float(t[1:]), -1)
        logprob = logp.gather(1, file["bf16.target"].long()[:, None])[:, 0]
        entropy = -(logp.exp() * logp).sum(-1)
        logprob.backward(file["bf16.d_logprob"].float())
        name = f"bf16.{t}"
        floors = {n: largest(file[f"{name}.{n}"], value) for n, value in (("logprob", logprob), ("entropy", entropy))}
        floors.update({n: relative(file[f"{name}.{n}"], value) for n, value in (("dh", h.grad), ("dw", w.grad))})
        yield f"linear_logprob {name}", floors


def main():
    sources = [("rmsnorm", rmsnorm_floors), ("rope", rope_floors), ("attention_d16_h4_2", attention_floors),
               ("attention_d64_h4_2", attention_floors), ("swiglu", swiglu_floors), ("linear", linear_floors),
               ("linear_logprob", linear_logprob_floors)]
    all_floors = {}
    for name, floors in sources:
        for title, dtype in TYPES.items():
            for case, values in floors(File(name), dtype):
                all_floors.setdefault(case or name, {})[title] = {k: float(f"{v:.4g}") for k, v in values.items()}
    json.dump({"what": "error of PyTorch " + torch.__version__.split("+")[0] + " on a CPU; see half_noise_floor.py", "floors": all_floors},
              sys.stdout, indent=1)
    print()


main()
