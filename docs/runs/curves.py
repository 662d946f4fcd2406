#!/usr/bin/env python3
"""Draws the metrics.jsonl of a training run: one SVG of small panels, and a Markdown table of its steps.

    curves.py RUN_DIRECTORY > table.md        writes RUN_DIRECTORY/curves.svg beside the metrics

Needs Python alone. A dot is a step, the line the mean of the last WINDOW steps: single steps of few questions say little.
"""
import json
import math
import pathlib
import sys

WINDOW = 8
WIDTH, HEIGHT = 300, 150
LEFT, TOP, GAP_X, GAP_Y = 48, 34, 62, 58
PANELS = [
    # key, title, factor, format of the axis
    ("reward", "mean reward", 1, "{:.1f}"),
    ("rewards/answer/mean", "right answers, %", 100, "{:.0f}"),
    ("rewards/format/mean", "boxed and finished, %", 100, "{:.0f}"),
    ("completions/mean_length", "tokens of an answer", 1, "{:.0f}"),
    ("completions/clipped_ratio", "cut off, %", 100, "{:.0f}"),
    ("entropy", "entropy, nats", 1, "{:.2g}"),
    ("rollout/tokens_per_s", "rollout, tokens/s", 1, "{:.0f}"),
    ("step_time", "seconds a step", 1, "{:.0f}"),
    ("memory/resident_mib", "resident memory, GiB", 1 / 1024, "{:.3g}"),
]
COLUMNS = 3


def main():
    folder = pathlib.Path(sys.argv[1])
    steps = [line for line in map(json.loads, open(folder / "metrics.jsonl", encoding="utf-8")) if "reward" in line]
    (folder / "curves.svg").write_text(svg(steps), encoding="utf-8")
    print(table(steps))


def svg(steps):
    rows = (len(PANELS) + COLUMNS - 1) // COLUMNS
    width, height = COLUMNS * (WIDTH + GAP_X), rows * (HEIGHT + GAP_Y)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="11">',
             f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for i, panel in enumerate(PANELS):
        x, y = LEFT + i % COLUMNS * (WIDTH + GAP_X), TOP + i // COLUMNS * (HEIGHT + GAP_Y)
        parts += draw(steps, x, y, *panel)
    return "\n".join(parts + ["</svg>"]) + "\n"


def draw(steps, left, top, key, title, factor, label):
    xs = [s["step"] for s in steps]
    ys = [s[key] * factor for s in steps]
    low, high = min(0, min(ys)), max(ys) or 1
    if min(ys) > 0.9 * max(ys):  # almost constant: what matters is how constant
        low, high = 0.95 * min(ys), 1.05 * max(ys)
    unit = round_unit((high - low) / 4)
    low, high = math.floor(low / unit) * unit, math.ceil(high / unit) * unit
    last = max(max(xs), 2)

    def at(x, y):
        return left + (x - 1) / (last - 1) * WIDTH, top + HEIGHT - (y - low) / (high - low) * HEIGHT

    yield f'<text x="{left}" y="{top - 10}" font-size="13" fill="#222">{title}</text>'
    for tick in range(round((high - low) / unit) + 1):
        value = low + tick * unit
        _, y = at(1, value)
        yield f'<line x1="{left}" x2="{left + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e4e4"/>'
        yield f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#777">{label.format(value)}</text>'
    for x in (1, last):
        yield f'<text x="{at(x, low)[0]:.1f}" y="{top + HEIGHT + 16}" text-anchor="middle" fill="#777">{x}</text>'
    for x, y in zip(xs, ys):
        px, py = at(x, y)
        yield f'<circle cx="{px:.1f}" cy="{py:.1f}" r="2.2" fill="#9db8d9"/>'
    means = [sum(ys[max(0, i + 1 - WINDOW):i + 1]) / len(ys[max(0, i + 1 - WINDOW):i + 1]) for i in range(len(ys))]
    line = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in zip(xs, means))
    yield f'<polyline points="{line}" fill="none" stroke="#1f5fa8" stroke-width="1.8"/>'


def round_unit(least):
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `least`."""
    power = 10 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= least * 0.999)


def table(steps):
    lines = ["| step | reward | right | boxed | tokens | cut off | entropy | gradient norm | rollout, tokens/s | training, tokens/s | s |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for s in steps:
        lines.append("| {} | {:.2f} | {:.0%} | {:.0%} | {:.0f} | {:.0%} | {:.2f} | {:.2f} | {:.0f} | {} | {:.0f} |".format(
            s["step"], s["reward"], s["rewards/answer/mean"], s["rewards/format/mean"], s["completions/mean_length"], s["completions/clipped_ratio"],
            s["entropy"], s["grad_norm"], s["rollout/tokens_per_s"], round(s["train/tokens_per_s"]) or "", s["step_time"]))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
