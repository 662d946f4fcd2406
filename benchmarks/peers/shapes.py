"""Shapes that the Python peers are measured at: the models of benchmarks/shapes, and the GRPO step that goes with each."""
import json
import os
import statistics
import time
from pathlib import Path

THREADS = int(os.environ.get("THREADS", "2"))
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

FOLDER = Path(__file__).resolve().parent.parent / "shapes"


class Step:
    def __init__(self, file, prompts, group, prompt_tokens, new_tokens, micro_batch_tokens=1 << 30):
        self.config = json.loads((FOLDER / file).read_text())
        self.prompts, self.group, self.prompt_tokens, self.new_tokens = prompts, group, prompt_tokens, new_tokens
        self.micro_batch_tokens = micro_batch_tokens

    @property
    def answers(self):
        return self.prompts * self.group

    @property
    def trained_tokens(self):
        return self.answers * (self.prompt_tokens + self.new_tokens)

    @property
    def drawn_tokens(self):
        return self.answers * self.new_tokens


STEPS = {
    "10m": Step("10m.json", 4, 8, 64, 128),
    "0.5b": Step("qwen2.5-0.5b.json", 2, 4, 64, 32),
    # A step of the first hours of configs/gsm8k-boxed.yaml: its questions and answers are about as long.
    "0.5b-gsm8k": Step("qwen2.5-0.5b.json", 4, 8, 100, 230, micro_batch_tokens=2048),
}


def arguments(description):
    import argparse
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--shape", choices=STEPS, default="10m")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--repeat", type=int, default=3)
    return parser


def report(step, rollout, train, whole):
    """One JSON line with the medians of seconds of rollout, update and step: the keys of `grpo4j bench step --json`."""
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    print(json.dumps({
        "rollout_tokens_per_s": round(step.drawn_tokens / statistics.median(rollout), 2),
        "train_tokens_per_s": round(step.trained_tokens / statistics.median(train), 2),
        "step_s": round(statistics.median(whole), 4),
        "peak_rss_mib": round(peak, 1),
    }), flush=True)


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result
