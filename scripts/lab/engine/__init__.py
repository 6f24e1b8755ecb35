"""A stand-in for vLLM without a GPU: its command line, its API, its metrics, its end, and misbehaviour on demand.

`python -m lab.engine MODEL [vLLM flags]` in this tree; in an image the folder stands alone as a package
(`python -m engine MODEL ...`) beside uvicorn, h11 and click, with the metric catalogue as JSON inside it:
`python -m lab.engine.catalogue FOLDER/vllm.json` writes that file. behaviour.py lists what can be scripted.
"""
