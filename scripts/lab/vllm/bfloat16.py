"""One token in bfloat16, in this very process: run as a child, which an instruction that is not allowed kills."""

import sys

from vllm import LLM, SamplingParams

if __name__ == "__main__":
    engine = LLM(sys.argv[1], dtype="bfloat16", enforce_eager=True, max_model_len=64, max_num_seqs=1)
    engine.generate(["one step"], SamplingParams(max_tokens=2), use_tqdm=False)
