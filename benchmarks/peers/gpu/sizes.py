"""The shapes of models and how much work each is measured with; `grpo4j bench` gets the same numbers as options."""
import json
from pathlib import Path

SHAPES = Path(__file__).resolve().parents[2] / "shapes"


class Size:
    def __init__(self, file, sequences, length, rows, cached, logit_rows, matrices, answers, prompt, new, prompts, group, step_prompt, step_new, micro):
        self.file = file
        self.config = json.loads((SHAPES / file).read_text())
        # grpo4j bench kernels
        self.sequences, self.length, self.rows, self.cached, self.logit_rows, self.matrices = sequences, length, rows, cached, logit_rows, matrices
        # bench rollout
        self.answers, self.prompt, self.new = answers, prompt, new
        # bench step; micro: tokens that go through the model at once
        self.prompts, self.group, self.step_prompt, self.step_new, self.micro = prompts, group, step_prompt, step_new, micro

    def kernel_options(self):
        return (f"--sequences {self.sequences} --length {self.length} --rows {self.rows} --cached {self.cached} "
                f"--logit-rows {self.logit_rows} --matrices {self.matrices}").split()

    def rollout_options(self):
        return f"--answers {','.join(map(str, self.answers))} --prompt-tokens {self.prompt} --new-tokens {self.new}".split()

    def step_options(self):
        return (f"--prompts {self.prompts} --group {self.group} --prompt-tokens {self.step_prompt} --new-tokens {self.step_new} "
                f"--micro-batch-tokens {self.micro}").split()


SIZES = {
    "0.5b": Size("qwen2.5-0.5b.json", 64, 1024, 256, 512, 512, 8, [64, 256, 512], 128, 128, 32, 8, 128, 384, 16384),
    # For walking through the scripts on a CPU; its figures mean nothing.
    "tiny": Size("10m.json", 2, 48, 4, 40, 8, 1, [2, 4], 8, 6, 2, 2, 8, 8, 32),
}
