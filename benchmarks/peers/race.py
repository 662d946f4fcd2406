#!/usr/bin/env python3
"""Races two programs that print measurements as JSON lines: in turn, several times, in one window on one machine.

    race.py --ours 'grpo4j bench rollout … --json' --peer 'llama_cpp.sh bench …' \\
            --key answers --measure prompt_tokens_per_s,decode_tokens_per_s [--lower step_s] [--times 5]

Lines of both are matched by --key (leave it out where a program prints one line). The last line that this prints is one
JSON object: for every key and measure the medians, all values and ours / peer, so that above 1 is ours ahead; for measures
named in --lower (times, memory) it is peer / ours. Only such ratios mean something: absolute figures move with the
machine's other work by more than any two programs differ. What else ran meanwhile is recorded as others_cpu_share.
"""
import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys

TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--key", default="")
    parser.add_argument("--measure", required=True)
    parser.add_argument("--lower", default="")
    parser.add_argument("--times", type=int, default=5)
    args = parser.parse_args()

    seen = {"ours": {}, "peer": {}}
    shares = {"ours": [], "peer": []}
    for turn in range(args.times):
        # The order changes, so that a machine that slows down hurts both alike.
        order = ("ours", "peer") if turn % 2 == 0 else ("peer", "ours")
        for side in order:
            lines, share = run(getattr(args, side))
            shares[side].append(round(share, 3))
            for line in lines:
                seen[side].setdefault(str(line.get(args.key, "all")), []).append(line)
            print(f"{turn + 1}/{args.times} {side}: {lines}, others had {share:.0%} of the machine", file=sys.stderr)

    lower = [m for m in args.lower.split(",") if m]
    result = {}
    for key in seen["ours"]:
        if key not in seen["peer"]:
            sys.exit(f"the peer printed nothing for {args.key} {key}")
        result[key] = {}
        for measure in args.measure.split(",") + lower:
            ours = [line[measure] for line in seen["ours"][key] if line.get(measure) is not None]
            peer = [line[measure] for line in seen["peer"][key] if line.get(measure) is not None]
            if not ours or not peer:
                continue
            a, b = statistics.median(ours), statistics.median(peer)
            result[key][measure] = {"ratio": round(b / a if measure in lower else a / b, 3), "ours_median": a, "peer_median": b, "ours": ours, "peer": peer}
    print(json.dumps({"machine": machine(), "times": args.times, "ours": portable(args.ours), "peer": portable(args.peer), "others_cpu_share": shares, "results": result}))


def run(command):
    """The JSON lines that a command prints, and the share of the machine that other processes took meanwhile."""
    busy, own = machine_seconds(), children_seconds()
    clock = os.times().elapsed
    done = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{command}\nended with {done.returncode}: {done.stderr[-2000:]}")
    elapsed = os.times().elapsed - clock
    others = (machine_seconds() - busy) - (children_seconds() - own)
    # Not every line of a peer's output is meant for us: trainers also print Python dictionaries.
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
    if not lines:
        sys.exit(f"{command}\nprinted no JSON line: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return lines, max(0.0, others) / (elapsed * os.cpu_count())


def portable(command):
    """The command without the folders of this machine, for a file that others read."""
    root = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
    words = []
    for word in shlex.split(command):
        if os.path.isabs(word):
            path = os.path.realpath(word)
            word = os.path.relpath(path, root) if path.startswith(root + os.sep) else os.path.basename(word)
        words.append(word)
    return shlex.join(words)


def machine_seconds():
    """Processor time that was not idle, of all processes and of the machine's other guests (steal)."""
    with open("/proc/stat") as stat:
        user, nice, system, _idle, _iowait, irq, softirq, steal = (int(x) for x in stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


def children_seconds():
    times = os.times()
    return times.children_user + times.children_system


def machine():
    name = platform.processor()
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
            if line.startswith("flags"):
                flags = set(line.split())
                break
    isa = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return {"cpu": name, "cores": os.cpu_count(), "isa": isa, "system": platform.platform()}


if __name__ == "__main__":
    main()
