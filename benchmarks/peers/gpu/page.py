#!/usr/bin/env python3
"""Makes docs/benchmarks/gpu.md of what visit.py measured.

    page.py [DIR] > docs/benchmarks/gpu.md

DIR is a folder of visit.py's results, best one under docs/benchmarks/results/; without it the page says how to measure and that nothing
has been measured yet. Every figure of the page stands in a file of DIR; ratios above 1 are ours ahead.
"""
import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from sizes import SIZES

# Dense bf16 with fp32 sums, by NVIDIA's data sheets: what model FLOPs utilisation is counted against.
PEAK_TFLOPS = {"H100": 989.4, "H200": 989.4, "A100": 312.0}

HOW = """# On a GPU, against PyTorch

The figures come from one script that takes an unpacked [archive](../../README.md#on-a-gpu-server-without-java-or-a-network) to a machine
with an NVIDIA GPU and a Python with PyTorch and transformers:

    python3 benchmarks/peers/gpu/visit.py --out results            # stage after stage, within 9 minutes
    python3 benchmarks/peers/gpu/visit.py --out results --stages decode,step,learn

and this page from `benchmarks/peers/gpu/page.py results`. The stages: what the machine has; the engine's tests on the GPU;
compute-sanitizer over the tests of the ops; every op, ours and PyTorch's; generation; a GRPO step; a run that learns.

How it is measured:

- Clocks run from an idle device to an idle device, after a warm-up; figures are medians. Ops are called many times in one CUDA graph, so
  that launching them costs nothing, on both sides where PyTorch's can be captured. Operands are random numbers, and on a GPU they are
  larger than its cache.
- Ceilings are measured in the same minutes: a bf16 matrix product of side 8192 and a copy of 1 GiB (read and written bytes counted), by
  both programs. Percentages are of ours.
- PyTorch's side is the best of what it offers: every op eager and compiled, attention by its flash and its cuDNN kernels; generation by
  hand-written CUDA graphs as well as by transformers; the training step hand-written and compiled as well as by transformers.
- Generation and the training step run in turn, ours and PyTorch's, in processes of their own.
"""


def main():
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    print(HOW)
    if len(sys.argv) == 1:
        print("## Results\n\n**Nothing has been measured yet.** The road has been walked on a CPU, where there is no GPU to measure.")
        return
    folder = Path(sys.argv[1])
    for part in (machine, tests, kernels, optimizer, decode, step, learn):
        text = part(folder)
        if text:
            print(text)


# ---- reading ----

def lines(folder, name):
    path = folder / name
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")] if path.exists() else []


def first(folder, name):
    found = lines(folder, name)
    return found[0] if found else None


def whole(folder, name):
    path = folder / name
    return json.loads(path.read_text()) if path.exists() and path.stat().st_size else None


def size_of(folder, stage):
    described = whole(folder, f"{stage}.json")
    return SIZES[described["size"]] if described else None


def table(head, rows):
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(out + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def number(value, digits=3):
    """With so many figures, thousands apart."""
    if value is None:
        return ""
    decimals = max(0, digits - len(f"{abs(value):.0f}")) if abs(value) >= 1 else digits
    return f"{value:,.{decimals}f}"


def percent(part, of):
    return f"{100 * part / of:.0f} %"


# ---- parts ----

def machine(folder):
    doctor, software = first(folder, "doctor.jsonl"), first(folder, "python.json")
    if not doctor:
        return None
    gpu = doctor.get("gpu")
    text = "## The machine\n\n"
    if gpu:
        text += (f"{gpu['name']}, compute capability {gpu['compute_capability']}, {gpu['multiprocessors']} multiprocessors, "
                 f"{gpu['memory_bytes'] / 2**30:.0f} GiB; driver for CUDA {gpu['driver_cuda']}, runtime {gpu['runtime_cuda']}. ")
    else:
        text += f"**No GPU: the road was walked on {doctor['processor']}, at sizes that mean nothing.** "
    if software:
        text += "Peers: " + ", ".join(f"{name} {software[name]}" for name in ("torch", "transformers", "triton") if name in software) + "."
    seconds = [whole(folder, f"{stage}.json") for stage in ("doctor", "tests", "sanitizer", "kernels", "decode", "step", "learn")]
    return text + "\n\n" + table(["stage", "result", "seconds"], [[s["stage"], s["result"], s["seconds"]] for s in seconds if s])


def tests(folder):
    counts, failures = count(folder / "tests")
    if not counts:
        return None
    failed = counts["failures"] + counts["errors"]
    text = f"## Tests\n\nThe engine's tests on the device: {counts['tests']} run, {failed} failed, {counts['skipped']} skipped.\n"
    text += "".join(f"\n- {name}" for name in failures) + ("\n" if failures else "")
    for check in ("memcheck", "racecheck"):
        path = folder / f"{check}.txt"
        if path.exists():
            summary = [line.strip(" =") for line in path.read_text(errors="replace").splitlines() if "SUMMARY" in line]
            text += f"\ncompute-sanitizer, {check}: {summary[-1] if summary else 'no summary: it did not come to its end'}.\n"
    return text


def count(folder):
    counts, failures = {}, []
    for path in sorted(folder.glob("*.xml")):
        suite = ElementTree.parse(path).getroot()
        for key in ("tests", "failures", "errors", "skipped"):
            counts[key] = counts.get(key, 0) + int(suite.get(key, 0))
        failures += [f"{case.get('classname')}: {case.get('name')}" for case in suite.iter("testcase")
                     if case.find("failure") is not None or case.find("error") is not None]
    return (counts if counts.get("tests") else None), failures


def kernels(folder):
    ours, theirs = lines(folder, "kernels.jsonl"), lines(folder, "torch-ops.jsonl")
    ceiling = next((line for line in ours if "ceiling" in line), None)
    if not ceiling:
        return None
    other = next((line for line in theirs if line.get("ceiling") and "gflops" in line), None)
    text = "## Op by op\n\nCeilings: " + described(ceiling)
    text += f"; PyTorch: {described(other)}.\n\n" if other else ".\n\n"
    best = {}
    for line in theirs:
        if line.get("us") and (line["op"] not in best or line["us"] < best[line["op"]]["us"]):
            best[line["op"]] = line
    rows = []
    for line in ours:
        if "op" not in line:
            continue
        work, traffic = line["gflops"] / ceiling["gflops"], line["gb_per_s"] / ceiling["gb_per_s"]
        bound = f"{100 * work:.0f} % of the product" if work > traffic else f"{100 * traffic:.0f} % of the copy"
        peer = best.get(line["op"])
        if peer and peer["shape"] != line["shape"]:
            sys.exit(f"{line['op']} was measured at {line['shape']} and at {peer['shape']}")
        theirs_best = ["", "", ""] if not peer else [
            number(peer["us"]), peer["variant"] + ("" if peer["graph"] else ", no graph"), f"{peer['us'] / line['us']:.2f}"]
        rows.append([line["op"], line["shape"], number(line["us"]), bound, *theirs_best])
    text += table(["op", "shape", "ours, µs", "ours, of the nearer ceiling", "PyTorch, µs", "by", "ratio"], rows)
    failed = [f"{line['op']} ({line['variant']})" for line in theirs if line.get("error") and line.get("op") and line.get("variant")]
    return text + (f"\nOf PyTorch's variants these failed: {', '.join(failed)}.\n" if failed else "")


def described(ceiling):
    return (f"{number(ceiling['gflops'] / 1e3)} TFLOP/s ({ceiling['gflops_by']}), "
            f"{number(ceiling['gb_per_s'])} GB/s ({ceiling['gb_per_s_by']})")


def optimizer(folder):
    measured = lines(folder, "optimizer.jsonl")
    if len(measured) < 2:
        return None
    bus, rows = measured[0], []
    for line in measured[1:]:
        over = max(line["in_gb_per_s"] / bus["bus_in_gb_per_s"], line["out_gb_per_s"] / bus["bus_out_gb_per_s"])
        rows.append([line["placement"], number(line["ms"]), number(line["gb_per_s"]), number(line["in_gb_per_s"]), number(line["out_gb_per_s"]),
                     f"{100 * over:.0f} %" if over else ""])
    return (f"## AdamW on all weights\n\nWith its states on the device, streamed from the machine's memory, or updated there. The bus: "
            f"{number(bus['bus_in_gb_per_s'])} GB/s in, {number(bus['bus_out_gb_per_s'])} GB/s out.\n\n"
            + table(["states", "ms", "operands, GB/s", "in, GB/s", "out, GB/s", "of the bus"], rows))


def decode(folder):
    raced, size = whole(folder, "decode-race.json"), size_of(folder, "decode")
    if not raced:
        return None
    rows = []
    for answers, measures in raced["results"].items():
        row = [answers]
        for measure in ("decode_tokens_per_s", "prompt_tokens_per_s"):
            m = measures.get(measure)
            row += [number(m["ours_median"]), number(m["peer_median"]), f"{m['ratio']:.2f}"] if m else ["", "", ""]
        for engine in ("hf-static", "hf-dynamic"):
            found = [line.get("decode_tokens_per_s") for line in lines(folder, f"decode-{engine}.jsonl") if str(line.get("answers")) == answers]
            row.append(number(found[0]) if found else "")
        m = measures.get("decode_tokens_per_s")
        row.append(f"{1e3 * int(answers) / m['ours_median']:.3f}" if m else "")
        rows.append(row)
    head = ["answers", "decode: ours", "graphs", "ratio", "prefill: ours", "graphs", "ratio", "decode: generate, static", "dynamic",
            "ours, ms a step"]
    return (f"## Generation\n\nThe shape of {size.file}, bf16, prompts of {size.prompt} tokens and {size.new} new ones, tokens/s; "
            f"medians of {raced['times']} turns.\n\n" + table(head, rows))


def step(folder):
    raced, size = whole(folder, "step-race.json"), size_of(folder, "step")
    if not raced:
        return None
    measures = raced["results"]["all"]
    names = {"rollout_tokens_per_s": "rollout, new tokens/s", "train_tokens_per_s": "training, tokens/s", "step_s": "whole step, s",
             "tensor_mib": "device memory, MiB"}
    rows = [[names[key], number(m["ours_median"]), number(m["peer_median"]), f"{m['ratio']:.2f}"] for key, m in measures.items()]
    text = (f"## A GRPO step\n\nThe shape of {size.file}, bf16 with fp32 masters, {size.prompts} prompts × {size.group} answers, "
            f"{size.step_prompt} + {size.step_new} tokens; medians of {raced['times']} turns.\n\n" + table(["", "ours", "PyTorch, compiled", "ratio"], rows))
    utilisation = []
    train = measures.get("train_tokens_per_s")
    if train:
        flops = flops_per_token(size.config, size.step_prompt, size.step_new)
        name = (first(folder, "doctor.jsonl") or {}).get("gpu") or {}
        peak = next((tflops for model, tflops in PEAK_TFLOPS.items() if model in name.get("name", "")), None)
        ceiling = next((line for line in lines(folder, "kernels.jsonl") if "ceiling" in line), None)
        for side, rate in (("ours", train["ours_median"]), ("PyTorch", train["peer_median"])):
            reached = flops * rate / 1e12
            utilisation.append(f"{side} {number(reached)} TFLOP/s"
                               + (f", {percent(reached, peak)} of the data sheet's {peak}" if peak else "")
                               + (f", {percent(reached * 1e3, ceiling['gflops'])} of the matrix product's ceiling" if ceiling else ""))
        text += "\nModel FLOPs of the training part, each answer counted with its prompt, nothing computed twice: " + "; ".join(utilisation) + ".\n"
    for engine in ("hf-eager", "hf-compiled"):
        found = [line for line in lines(folder, f"step-{engine}.jsonl") if line.get("train_tokens_per_s")]
        if found:
            text += f"\ntransformers ({engine}), the update alone: {number(found[0]['train_tokens_per_s'])} tokens/s.\n"
    return text


def flops_per_token(config, prompt, new):
    """Of training, a token of the sequence: 6 for every weight that multiplies it, attention over half the sequence, and the head for
    the new tokens alone."""
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    head_dim, length = hidden // heads, prompt + new
    qkv = (heads + 2 * config["num_key_value_heads"]) * head_dim
    layer = hidden * (qkv + heads * head_dim + 3 * config["intermediate_size"])
    attention = 2 * heads * head_dim * length / 2
    forward = 2 * (config["num_hidden_layers"] * (layer + attention) + hidden * config["vocab_size"] * new / length)
    return 3 * forward


def learn(folder):
    rows = lines(folder, "learn.jsonl")
    accuracy = [(row["step"], row["eval/accuracy_greedy"], row["eval/accuracy_sampled"]) for row in rows
                if row.get("eval/accuracy_greedy") is not None]
    if not accuracy:
        return None
    stage = whole(folder, "learn.json")
    return (f"## A run that learns\n\n`grpo4j train --config config.yaml` on the device, {rows[-1]['step']} steps in {stage['seconds']} s:\n\n"
            + table(["step", "held-out accuracy, greedy", "sampled"], [[s, f"{100 * g:.1f} %", f"{100 * d:.1f} %"] for s, g, d in accuracy]))


if __name__ == "__main__":
    main()
