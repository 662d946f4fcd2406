#!/usr/bin/env python3
"""What each CUDA kernel takes of a multiprocessor, and which instructions it is made of; needs no GPU.

    table.py [--nvdisasm PROGRAM] [--dynamic FILE] [--short] REPORT_FOLDER...

A report folder holds what compile.sh left of one kernel file: ptxas' log, PTX and machine code. FILE has lines "kernel head_dim
bytes" of dynamic shared memory (dynamic_shared.cpp). Without nvdisasm the instructions are left out. --short: only sm_90a, bf16 where
there is a choice, 16-byte vectors where there is one, as Markdown.

Blocks an SM, for w = ceil(threads / 32) warps of r = ceil(32 registers / 256) 256 registers (cuda_occupancy.h of CUDA 13):

    min( (65536 / r rounded down to a multiple of 4) / w,  shared memory of the SM / (static + dynamic + 1024, rounded up to 128),
         64 / w,  32 )

Ends with an error where a kernel lacks the instruction that it was written for, or touches local memory.
"""
import argparse
import collections
import pathlib
import re
import subprocess
import sys

SHARED_BYTES = {"sm_80": 164 * 1024, "sm_90a": 228 * 1024}  # of an SM

# Columns of the instruction mix: a name, and what an instruction of it begins with and contains.
MIX = [("HMMA", "HMMA", ""), ("LDSM", "LDSM", ""), ("LDGSTS", "LDGSTS", ".128"), ("LDG128", "LDG", ".128"), ("LDG", "LDG.", ""),
       ("STG128", "STG", ".128"), ("STG", "STG", ""), ("LDS", "LDS", ""), ("STS", "STS", ""), ("SHFL", "SHFL", ""), ("BAR", "BAR", ""),
       ("MUFU", "MUFU", "")]
LOCAL = ("LDL", "STL")

TENSOR_KERNELS = ("attention_kernel", "attention_dq_kernel", "attention_dkdv_kernel", "attention_shared_tiles_kernel", "attention_decode_kernel")
STREAMING_KERNELS = ("rmsnorm_kernel", "rmsnorm_backward_kernel", "rope_kernel", "swiglu_kernel", "swiglu_backward_kernel", "embedding_kernel",
                     "add_kernel", "adamw_kernel")


class Kernel:
    def __init__(self, arch, file, symbol):
        self.arch, self.file, self.symbol = arch, file, symbol
        self.name = symbol
        self.registers = self.static_shared = self.dynamic_shared = self.threads = 0
        self.mix = None
        self.instructions = self.local = 0

    def base(self):
        return self.name.split("<")[0]

    def arguments(self):
        return re.split(r"[<>, ]+", self.name)[1:]

    def warps(self):
        return -(-self.threads // 32)

    def shared(self):
        return self.static_shared + self.dynamic_shared

    def limits(self):
        """How many blocks of it an SM could have, by each of its resources."""
        registers = -(-32 * self.registers // 256) * 256
        shared = -(-(self.shared() + 1024) // 128) * 128
        return {"warps": 64 // self.warps(), "blocks": 32, "registers": 65536 // registers // 4 * 4 // self.warps(), "shared": SHARED_BYTES[self.arch] // shared}

    def blocks(self):
        return min(self.limits().values())

    def occupancy(self):
        return self.blocks() * self.warps() * 100 // 64

    def limit(self):
        """What keeps a further block out."""
        return min(self.limits(), key=self.limits().get)

    def moves_vectors(self):
        """Its template's type and width make 16 bytes."""
        words = self.arguments()
        sizes = {"float": 4, "bf16": 2, "f16": 2}
        return len(words) > 1 and words[0] in sizes and words[1].isdigit() and sizes[words[0]] * int(words[1]) == 16

    def missing(self):
        if self.mix is None:
            return []
        wanted = []
        if self.base() in TENSOR_KERNELS:
            wanted = ["HMMA", "LDSM", "LDGSTS"]
        elif self.base() in STREAMING_KERNELS and self.moves_vectors():
            wanted = ["LDG128", "STG128"]
        return [column for column in wanted if self.mix[column] == 0]


def kernels_of(report):
    """The kernels of a report folder, from ptxas' log, by (arch, symbol)."""
    found = {}
    kernel = None
    for line in (report / "ptxas.log").read_text().splitlines():
        entry = re.search(r"Compiling entry function '(\w+)' for '(\w+)'", line)
        if entry:
            kernel = Kernel(entry[2], report.name.split(".")[0] + ".cu", entry[1])
            found[kernel.arch, kernel.symbol] = kernel
        used = re.search(r"Used (\d+) registers", line)
        if used and kernel:
            kernel.registers = int(used[1])
            shared = re.search(r"(\d+) bytes smem", line)
            kernel.static_shared = int(shared[1]) if shared else 0
    for ptx in report.glob("*.ptx"):
        for symbol, bounds in re.findall(r"\.entry (\w+)\([^{]*?\.maxntid ([\d, ]+)", ptx.read_text()):
            threads = 1
            for size in bounds.split(","):
                threads *= int(size)
            for (_, its_symbol), its in found.items():
                if its_symbol == symbol:
                    its.threads = threads
    return found


def count_instructions(found, cubin, nvdisasm):
    arch = cubin.name.split(".")[-2].replace("compute_", "sm_")
    listing = subprocess.run([nvdisasm, "-c", str(cubin)], check=True, capture_output=True, text=True).stdout
    kernel = None
    for line in listing.splitlines():
        section = re.match(r"\.text\.(\w+):", line)
        if section:
            kernel = found.get((arch, section[1]))
            if kernel:
                kernel.mix = collections.Counter()
        instruction = re.match(r"\s+/\*[0-9a-f]+\*/\s+(?:@!?U?P\d\s+)?([A-Z][A-Z0-9_.]*)", line)
        if not instruction or not kernel:
            continue
        name = instruction[1]
        if name == "NOP":
            continue
        kernel.instructions += 1
        kernel.local += name.split(".")[0] in LOCAL
        for column, begins, contains in MIX:
            if name.startswith(begins) and contains in name and (name.split(".")[0] == begins.rstrip(".")):
                kernel.mix[column] += 1
                break


def demangle(kernels):
    names = subprocess.run(["c++filt", "-p"], input="\n".join(k.symbol for k in kernels), check=True, capture_output=True, text=True).stdout.splitlines()
    for kernel, name in zip(kernels, names):
        kernel.name = name.replace("g4::cuda::", "").replace("(anonymous namespace)::", "")


def print_short(kernels):
    columns = [column for column, _, _ in MIX]
    print("| kernel | threads | registers | shared, KB | blocks an SM | warps | limited by | instructions | " + " | ".join(columns) + " |")
    print("|" + "---|" * (8 + len(columns)))
    for k in kernels:
        words = k.arguments()
        if k.arch != "sm_90a" or k.mix is None or {"f16", "float"} & set(words[:1]) or (words[-2:-1] == ["1"] or "1" in words[1:2] or words[:1] == ["1"]):
            continue
        print(f"| `{k.name}` | {k.threads} | {k.registers} | {k.shared() / 1024:.3g} | {k.blocks()} | {k.occupancy()} % | {k.limit()} | {k.instructions} | "
              + " | ".join(str(k.mix[column]) if k.mix[column] else "" for column in columns) + " |")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--nvdisasm")
    arguments.add_argument("--dynamic")
    arguments.add_argument("--short", action="store_true")
    arguments.add_argument("reports", nargs="+", type=pathlib.Path)
    options = arguments.parse_args()

    kernels = []
    for report in options.reports:
        found = kernels_of(report)
        if options.nvdisasm:
            for cubin in report.glob("*.cubin"):
                count_instructions(found, cubin, options.nvdisasm)
        kernels += found.values()
    demangle(kernels)
    if options.dynamic:
        for line in pathlib.Path(options.dynamic).read_text().splitlines():
            base, head_dim, size = line.split()
            for kernel in kernels:
                if kernel.base() == base and (head_dim == "0" or head_dim in kernel.arguments()):
                    kernel.dynamic_shared = int(size)

    kernels.sort(key=lambda k: (k.arch, k.file, k.name))
    if options.short:
        return print_short(kernels)
    width = max(len(k.name) for k in kernels)
    mix = "".join(f"{column:>7}" for column, _, _ in MIX) if options.nvdisasm else ""
    print(f"{'':7}{'file':22}{'kernel':{width}} threads  regs   shared  blocks  warps  limited by" + (f"  instr{mix}" if mix else ""))
    wrong = []
    for k in kernels:
        if k.threads == 0:
            wrong.append(f"{k.file}: {k.name} has no __launch_bounds__")
            continue
        row = (f"{k.arch:7}{k.file:22}{k.name:{width}} {k.threads:7} {k.registers:5} {k.shared():8} {k.blocks():7} {k.occupancy():5}%"
               f"  {k.limit():10}")
        if k.mix is not None:
            row += f" {k.instructions:6}" + "".join(f"{k.mix[column]:7}" for column, _, _ in MIX)
        print(row)
        if k.local:
            wrong.append(f"{k.file}: {k.name} for {k.arch} has {k.local} instructions on local memory")
        wrong += [f"{k.file}: {k.name} for {k.arch} has no {column}" for column in k.missing()]
        if options.nvdisasm and k.mix is None:
            wrong.append(f"{k.file}: {k.name} for {k.arch} is not in the machine code")
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
