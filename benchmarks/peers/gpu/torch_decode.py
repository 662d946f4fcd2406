#!/usr/bin/env python3
"""Speed of generation in PyTorch: the keys of `grpo4j bench rollout --json`, counted as it counts. Random bf16 weights, sampling at
temperature 1, every answer of full length.

    torch_decode.py --engine graphs           hand-written, decoder.py; --attention products for the other way to attend
    torch_decode.py --engine hf-dynamic       transformers' generate
    torch_decode.py --engine hf-static        the same with a static cache, which it compiles and captures as CUDA graphs
"""
import statistics
import time

import decoder
import torch
from common import Bench, parser


def graphs(bench, answers):
    size = bench.size
    capacity = decoder.PIECE * -(-(size.prompt + size.new) // decoder.PIECE)
    runner = decoder.Decoder(bench, bench.model, answers, capacity)
    prompts = torch.randint(0, bench.config["vocab_size"], (answers, size.prompt))
    # As many steps as new tokens: the prefill draws one more at the end of the prompt than ours does.
    runner.capture(size.prompt + 1, size.prompt + size.new)

    def run():
        prefill = bench.clock(lambda: runner.prefill(prompts, 1))
        return prefill, bench.clock(lambda: runner.decode(size.prompt, size.new - 1))
    run()
    times = [run() for _ in range(bench.args.repeat)]
    report(bench, answers, statistics.median(t[0] for t in times), statistics.median(t[1] for t in times) / (size.new - 1),
           logprob_error=runner.error(prompts, 1, size.new))


def transformers(bench, answers, static):
    from transformers import StoppingCriteria, StoppingCriteriaList
    size = bench.size
    prompts = torch.randint(0, bench.config["vocab_size"], (answers, size.prompt))
    cache = {"cache_implementation": "static"} if static else {}
    if not static or bench.args.no_compile or not bench.cuda:
        cache["disable_compile"] = True

    class FirstToken(StoppingCriteria):
        """Looks at the clock when the first token is there, and never stops anything."""
        seen = None

        def __call__(self, ids, scores, **kwargs):
            if self.seen is None:
                bench.wait()
                self.seen = time.perf_counter()
            return torch.zeros(ids.shape[0], dtype=torch.bool, device=ids.device)

    @torch.no_grad()
    def run():
        first = FirstToken()
        bench.wait()
        start = time.perf_counter()
        out = bench.model.generate(
            input_ids=prompts, attention_mask=torch.ones_like(prompts), do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
            max_new_tokens=size.new, min_new_tokens=size.new, eos_token_id=None, pad_token_id=0,
            stopping_criteria=StoppingCriteriaList([first]), **cache)
        bench.wait()
        end = time.perf_counter()
        if out.shape[1] != size.prompt + size.new:
            raise RuntimeError("an answer ended early")
        return first.seen - start, end - first.seen
    run()
    if static:
        run()  # CUDA graphs are recorded at the second call
    times = [run() for _ in range(bench.args.repeat)]
    report(bench, answers, statistics.median(t[0] for t in times), statistics.median(t[1] for t in times) / (size.new - 1))


def report(bench, answers, prefill, step, **more):
    size = bench.size
    bench.emit(engine=bench.args.engine, answers=answers, prompt_tokens=size.prompt, new_tokens=size.new,
               prompt_tokens_per_s=answers * size.prompt / prefill, decode_tokens_per_s=answers / step, decode_step_ms=step * 1e3,
               tensor_mib=bench.peak_mib(), **more)


def main():
    options = parser(__doc__)
    options.add_argument("--engine", choices=["graphs", "hf-dynamic", "hf-static"], default="graphs")
    options.add_argument("--attention", choices=["sdpa", "products"], default="products")
    bench = Bench(options.parse_args())
    if bench.args.engine == "graphs":
        bench.model = decoder.create(bench, bench.size.prompt + bench.size.new + decoder.PIECE, bench.args.attention)
        measure = graphs
    else:
        from transformers import Qwen2Config, Qwen2ForCausalLM
        config = Qwen2Config(**bench.config, bos_token_id=None, eos_token_id=None, pad_token_id=0)
        bench.model = Qwen2ForCausalLM(config).to(bench.dtype).eval()

        def measure(bench, answers):
            transformers(bench, answers, bench.args.engine == "hf-static")
    for answers in bench.size.answers:
        bench.guarded(lambda: measure(bench, answers), engine=bench.args.engine, answers=answers)
    return 1 if bench.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
