"""Compares two run directories byte by byte: compare_runs.py NAME OLD NEW. Columns that only the new run has are named, not compared."""
import json
import pathlib
import sys

# With several updates a rollout these were means over the updates; they are the extremes over all of them now.
MENDED = {"clip_ratio/low_min", "clip_ratio/high_max"}


def of_machine(name):
    return name == "step_time" or name.startswith(("time/", "memory/")) or name.endswith("tokens_per_s")


def rows(path):
    return [json.loads(line, parse_float=str, parse_int=str) for line in path.read_text().splitlines()]


def compare(old, new, file, problems, added, mended):
    a, b = rows(old / file), rows(new / file)
    if len(a) != len(b):
        problems.append(f"{file}: {len(a)} lines and {len(b)}")
    for number, (x, y) in enumerate(zip(a, b), 1):
        added.update(k for k in y if k not in x and not of_machine(k))
        for key in x:
            if of_machine(key):
                continue
            if x[key] != y.get(key):
                (mended if key in MENDED else problems).append(f"{file}:{number} {key}: {x[key]} and {y.get(key)}")


def main():
    name, old, new = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    problems, added, mended = [], set(), []
    if (old / "model/model.safetensors").read_bytes() != (new / "model/model.safetensors").read_bytes():
        problems.append("model.safetensors differs")
    for file in ["metrics.jsonl", "samples.jsonl"] + [str(p.relative_to(old)) for p in sorted((old / "eval").glob("*.jsonl"))]:
        compare(old, new, file, problems, added, mended)
    print(f"{name}: {'equal' if not problems else 'DIFFERENT'}"
          + (f"; mended: {len(mended)} values of {', '.join(sorted({m.split()[1][:-1] for m in mended}))}" if mended else "")
          + (f"; new columns: {', '.join(sorted(added))}" if added else ""))
    for problem in problems[:8]:
        print("   ", problem)
    sys.exit(1 if problems else 0)


main()
