"""What the PyTorch scripts of this folder share: options, sizes, clocks, JSON lines, and a guard around every measurement."""
import argparse
import json
import os
import statistics
import sys
import time
import traceback
import warnings
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
warnings.filterwarnings("ignore")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch  # noqa: E402  after the settings that it reads
from sizes import SIZES  # noqa: E402

START = time.monotonic()


def parser(description):
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    options.add_argument("--size", choices=SIZES, default="0.5b")
    options.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    options.add_argument("--budget", type=float, default=240, help="seconds after which nothing new is begun (240)")
    options.add_argument("--repeat", type=int, default=3)
    return options


class Bench:
    """The options of a run, and how it measures."""

    def __init__(self, args):
        self.args = args
        self.size = SIZES[args.size]
        self.config = self.size.config
        self.cuda = args.device == "cuda"
        self.dtype = torch.bfloat16
        self.failed = 0
        torch.manual_seed(0)
        # Twice the shapes that are compiled here: beyond the usual limit of 8, torch.compile silently runs the function as it is.
        torch._dynamo.config.recompile_limit = 64
        if self.cuda:
            torch.set_default_device("cuda")
            # A backward pass runs on the stream of its forward pass, and the usual stream cannot be captured.
            self.stream = torch.cuda.Stream()
            torch.cuda.set_stream(self.stream)

    def left(self):
        return self.args.budget - (time.monotonic() - START)

    def emit(self, **line):
        print(json.dumps({key: float(f"{value:.5g}") if isinstance(value, float) else value for key, value in line.items()}), flush=True)

    def compile(self, function, **options):
        return function if self.args.no_compile else torch.compile(function, dynamic=False, **options)

    def wait(self):
        if self.cuda:
            torch.cuda.synchronize()

    def guarded(self, work, **what):
        """A measurement that fails is one line of the result, and the next one begins; so is one for which there is no time."""
        if self.left() < 0:
            self.emit(**what, skipped="no time left")
            return None
        try:
            return work()
        except Exception as error:  # whatever a library throws
            self.failed += 1
            traceback.print_exc()
            self.emit(**what, error=f"{type(error).__name__}: {error}"[:300])
            return None
        finally:
            if self.cuda:
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()

    def seconds(self, call, limit=0.3):
        """Median seconds of a call, many at once as one CUDA graph, so that launching costs nothing: how `grpo4j bench kernels` does it.

        A call that cannot be captured is timed as it is."""
        for _ in range(3):
            call()
        self.wait()
        estimate = self.clock(call)
        if estimate < 1e-4:
            estimate = self.clock(lambda: [call() for _ in range(20)]) / 20
        calls = max(1, min(1000, int(2e-3 / estimate)))
        round_, captured = self.rounds(call, calls)
        for _ in range(3):
            round_()
        times, begin = [], time.monotonic()
        while len(times) < 5 or time.monotonic() - begin < limit:
            times.append(self.clock(round_) / calls)
        return statistics.median(times), captured

    def rounds(self, call, calls):
        def plain():
            for _ in range(calls):
                call()

        if not self.cuda:
            return plain, False
        try:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self.stream):
                plain()
            return graph.replay, True
        except Exception:
            torch.cuda.synchronize()
            return plain, False

    def clock(self, work):
        """Seconds from an idle device to an idle device."""
        self.wait()
        start = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - start

    def peak_mib(self):
        return torch.cuda.max_memory_allocated() / 2**20 if self.cuda else None

    def machine(self):
        return {"torch": torch.__version__, "device": torch.cuda.get_device_name() if self.cuda else "cpu"}
