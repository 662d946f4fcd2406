#!/usr/bin/env python3
"""Everything that is measured on a GPU, in order, with a limit for each part: to be run from an unpacked archive.

    visit.py --out DIR                                        all stages, as far as they get within --budget seconds (540)
    visit.py --out DIR --stages decode,step,learn             some of them; another call adds to the same DIR
    visit.py --out DIR --device cpu --size tiny --no-compile  walks the road where there is no GPU

    doctor      what the machine has                          tests      the engine's tests on the device
    sanitizer   compute-sanitizer over the tests of the ops   kernels    op by op, ours and PyTorch's, ceilings first
    decode      generation: ours and hand-written PyTorch in turn, then transformers
    step        a GRPO step: the same                         learn      config.yaml trains the built-in model

Each stage writes its figures into DIR and STAGE.json beside them: commands, seconds, what came of it. A stage that fails or runs out of
time does not keep the next from its turn. page.py makes a page of DIR. A table of the stages is printed last.
"""
import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = HERE.parents[2]
sys.path.insert(0, str(HERE.parent))
import race  # noqa: E402
from sizes import SIZES  # noqa: E402

START = time.monotonic()
SANITIZED_TESTS = ["OpCaseTest", "ReplayTest", "AdamWTest", "SamplingTest"]


class Visit:
    def __init__(self, args):
        self.args = args
        self.out = Path(args.out).resolve()
        self.out.mkdir(parents=True, exist_ok=True)
        self.commands = []
        self.size = SIZES[args.size]

    def left(self):
        return self.args.budget - (time.monotonic() - START)

    def run(self, command, limit, to=None, env=None):
        """A command within a time limit; its standard output goes to a file of DIR. True if it ended with 0."""
        limit = min(limit, self.left())
        if limit < 5:
            self.commands.append({"command": race.portable(shlex.join(command)), "result": "no time left"})
            return False
        begin = time.monotonic()
        out = open(self.out / to, "w") if to else subprocess.DEVNULL
        log = open(self.out / "log.txt", "a")
        log.write(f"\n$ {shlex.join(command)}\n")
        log.flush()
        process = subprocess.Popen(command, stdout=out, stderr=log, env={**os.environ, **(env or {})}, start_new_session=True)
        try:
            process.wait(limit)
            result = "ok" if process.returncode == 0 else f"ended with {process.returncode}"
        except subprocess.TimeoutExpired:
            # The whole group: what a shell script started goes with it.
            os.killpg(process.pid, 9)
            process.wait()
            result = f"stopped after {limit:.0f} s"
        finally:
            log.close()
            if to:
                out.close()
        self.commands.append({"command": race.portable(shlex.join(command)), "seconds": round(time.monotonic() - begin, 1), "result": result})
        return result == "ok"

    def ours(self, *words):
        return [str(HOME / "bin" / words[0]), *words[1:]]

    def bench(self, what, *options):
        return self.ours("grpo4j", "bench", what, "--random", str(HOME / "benchmarks/shapes" / self.size.file), "--device", self.args.device,
                         "--dtype", "bf16", *options, "--json")

    def peer(self, script, *options):
        more = ["--no-compile"] if self.args.no_compile else []
        return [sys.executable, str(HERE / script), "--device", self.args.device, "--size", self.args.size, "--budget", str(int(max(10, self.left()))),
                *more, *options]

    # ---- stages ----

    def doctor(self):
        found = self.run(self.ours("grpo4j", "doctor", "--json"), 30, "doctor.jsonl")
        if self.args.device == "cuda":
            self.run(["nvidia-smi", "--query-gpu=name,driver_version,memory.total,clocks.sm,clocks.max.sm,clocks.mem,power.limit,temperature.gpu",
                      "--format=csv"], 20, "nvidia-smi.csv")
            usable = json.loads((self.out / "doctor.jsonl").read_text() or "{}").get("cuda_usable") if found else False
            if not usable:
                print("grpo4j cannot use the GPU; doctor.jsonl says why", file=sys.stderr)
                return False
        versions = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions() if d.name and " \
                   "(d.name.startswith('nvidia') or d.name in ('torch', 'transformers', 'triton'))}))"
        return self.run([sys.executable, "-c", versions], 30, "python.json") and found

    def tests(self):
        return self.run(self.ours("grpo4j-test", "--device", self.args.device, "--out", str(self.out / "tests"), *self.args.tests), 240, "tests.txt")

    def sanitizer(self):
        tool = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
        if self.args.device != "cuda" or not os.access(tool, os.X_OK):
            self.commands.append({"command": "compute-sanitizer", "result": "not there"})
            return None
        clean = True
        for check in ("memcheck", "racecheck"):
            command = [tool, "--tool", check, "--target-processes", "all", "--error-exitcode", "9", "--print-limit", "20",
                       *self.ours("grpo4j-test", "--device", "cuda", "--out", str(self.out / f"tests-{check}"), *SANITIZED_TESTS)]
            clean = self.run(command, 150, f"{check}.txt") and clean
        return clean

    def kernels(self):
        done = self.run(self.bench("kernels", *self.size.kernel_options()), 120, "kernels.jsonl")
        done = self.run(self.bench("optimizer"), 60, "optimizer.jsonl") and done
        return self.run(self.peer("torch_ops.py"), 240, "torch-ops.jsonl") and done

    def decode(self):
        done = self.race("decode", self.bench("rollout", *self.size.rollout_options(), "--repeat", str(self.args.repeat)),
                         self.peer("torch_decode.py", "--repeat", str(self.args.repeat)), "answers", "prompt_tokens_per_s,decode_tokens_per_s", "")
        for engine in ("hf-dynamic", "hf-static"):
            self.run(self.peer("torch_decode.py", "--engine", engine, "--repeat", "1"), 120, f"decode-{engine}.jsonl")
        return done

    def step(self):
        done = self.race("step", self.bench("step", *self.size.step_options(), "--repeat", str(self.args.repeat)),
                         self.peer("torch_train.py", "--repeat", str(self.args.repeat)), "", "rollout_tokens_per_s,train_tokens_per_s", "step_s,tensor_mib")
        for engine in ("hf-eager", "hf-compiled"):
            self.run(self.peer("torch_train.py", "--engine", engine, "--repeat", "2"), 120, f"step-{engine}.jsonl")
        return done

    def race(self, name, ours, peer, key, measures, lower):
        command = [sys.executable, str(HERE.parent / "race.py"), "--times", str(self.args.times), "--measure", measures, "--lower", lower,
                   "--key", key, "--ours", shlex.join(ours), "--peer", shlex.join(peer)]
        return self.run(command, 300, f"{name}-race.json")

    def learn(self):
        folder = self.out / "run"
        shutil.rmtree(folder, ignore_errors=True)
        done = self.run(self.ours("grpo4j", "train", "--config", str(HOME / "config.yaml"), "--set", f"backend.device={self.args.device}",
                                  "--run-dir", str(folder), "--json", *self.args.train), 180, "learn-events.jsonl")
        if (folder / "metrics.jsonl").exists():
            shutil.copy(folder / "metrics.jsonl", self.out / "learn.jsonl")
        # Models and samples are not for keeping.
        shutil.rmtree(folder, ignore_errors=True)
        return done


STAGES = ["doctor", "tests", "sanitizer", "kernels", "decode", "step", "learn"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--size", choices=["0.5b", "tiny"], default="0.5b")
    parser.add_argument("--budget", type=float, default=540, help="seconds for all of it (540)")
    parser.add_argument("--times", type=int, default=2, help="turns of a race (2)")
    parser.add_argument("--repeat", type=int, default=3, help="repeats within a turn (3)")
    parser.add_argument("--no-compile", action="store_true", help="PyTorch without torch.compile")
    parser.add_argument("--tests", default="", help="test classes, separated by commas, instead of all")
    parser.add_argument("--train", default="", help="more options of the training run, as one argument")
    args = parser.parse_args()
    args.tests, args.train = [t for t in args.tests.split(",") if t], shlex.split(args.train)
    if not (HOME / "bin" / "grpo4j").exists():
        parser.error(f"{HOME} is no unpacked archive; ./mvnw -Pdist package makes one")
    visit = Visit(args)
    rows = []
    for stage in args.stages.split(","):
        if stage not in STAGES:
            parser.error(f"{stage} is no stage; they are {', '.join(STAGES)}")
        visit.commands, begin = [], time.monotonic()
        if visit.left() < 10:
            result = "not begun: no time left"
        else:
            print(f"{stage} ...", file=sys.stderr, flush=True)
            try:
                done = getattr(visit, stage)()
                result = {True: "ok", False: "failed", None: "left out"}[done]
            except Exception as error:  # the next stage has its turn whatever happened
                result = f"failed: {type(error).__name__}: {error}"
        seconds = round(time.monotonic() - begin, 1)
        (visit.out / f"{stage}.json").write_text(json.dumps(
            {"stage": stage, "device": args.device, "size": args.size, "result": result, "seconds": seconds, "commands": visit.commands}, indent=1) + "\n")
        rows.append((stage, result, seconds))
        if stage == "doctor" and args.device == "cuda" and result != "ok":
            break
    for stage, result, seconds in rows:
        print(f"{stage:10} {seconds:7.1f} s  {result}")
    return 0 if all(result in ("ok", "left out") for _, result, _ in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
