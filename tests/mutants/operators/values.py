"""Mistakes in a values file: a layer put over a release, or a text that is no good YAML."""

from __future__ import annotations

from dataclasses import dataclass

REPEATED = "global:\n  llm:\n    replicas: {min: 2, max: 4}\n    replicas: {min: 3, max: 4}\n"


@dataclass(frozen=True)
class Layer:
    """The text of one more values file. `only` names bases in which it is a mistake; empty means every model."""

    name: str
    text: str
    only: tuple[str, ...] = ()


def llm(text: str) -> str:
    return f"global: {{llm: {{{text}}}}}\n"


def server(text: str) -> str:
    return f"vllm-inference: {{{text}}}\n"


ROUTED = ("qwen3-8b prod", "llama-3.3-70b staging", "pinned", "drift")
SCALED = ("qwen3-8b prod", "pinned", "keda", "gateway", "istio")
UNROUTED = ("qwen3-32b test",)
CANARIES = ("qwen3-8b prod", "llama-3.3-70b staging", "qwen3-32b test", "pinned", "istio")

TABLE: dict[str, tuple[Layer, ...]] = {
    "values: keys and types": (
        Layer("key typo", server("engine: {maxModelLength: 4096}")),
        Layer("key in another place", "engine: {maxModelLen: 4096}\n"),
        Layer("component typo", "vllm-infrence: {engine: {maxModelLen: 4096}}\n"),
        Layer("number in quotes", server('engine: {maxModelLen: "32768"}')),
        Layer("thousands with a comma", server('engine: {maxModelLen: "32,768"}')),
        Layer("boolean in quotes", llm('components: {alerts: "true"}')),
        Layer("yes in quotes", server('strategy: {approval: "yes"}')),
        Layer("list for a mapping", server("engine: []")),
        Layer("text for a list", server("scheduling: {tolerations: gpu}")),
        Layer("size with unit", server("cache: {sizeGiB: 30GB}")),
        Layer("memory with unit", server("resources: {memoryGiB: 16GB}")),
        Layer("negative", llm("replicas: {min: -1}")),
        Layer("a fraction of a server", llm("replicas: {min: 1.5}")),
        Layer("global under the wrong key", "llm: {replicas: {min: 2}}\n"),
        Layer("component's key in capitals", llm("components: {Autoscaling: true}")),
    ),
    "values: enumerations and patterns": (
        Layer("router typo", server("trafficRouter: traefic")),
        Layer("strategy in other spelling", server("strategy: {type: blue-green}")),
        Layer("preset typo", server("strategy: {steps: carefull}")),
        Layer("surge typo", server("strategy: {surge: onespare}")),
        Layer("scaler typo", "gpu-hpa: {backend: KEDA}\n"),
        Layer("digest without algorithm", server("image: {digest: " + "a" * 64 + "}")),
        Layer("short digest", server("image: {digest: 'sha256:abc'}")),
        Layer("branch for a revision", llm("model: {revision: main}")),
        Layer("source without scheme", llm("model: {source: Qwen/Qwen3-8B}")),
        Layer("host with scheme", server("route: {host: 'https://llm.example.com'}")),
        Layer("host in capitals", server("route: {host: LLM.example.com}")),
        Layer("model name with a space", llm("model: {name: my model}")),
        Layer("GPU that nobody knows", llm("gpu: {product: H900}")),
        Layer("version without patch", server("engine: {version: '0.33'}")),
        Layer("engine below the safe floor", server("engine: {version: 0.6.0}")),
        Layer("cron with four fields", "drift-cronjob: {schedule: '0 3 * *'}\n", ("drift",)),
        Layer("time zone with a space", "drift-cronjob: {timeZone: 'Asia Shanghai'}\n", ("drift",)),
        Layer("window without unit", "drift-cronjob: {window: '24'}\n", ("drift",)),
        Layer("signal typo", server("gates: {signals: [ttft, itll]}")),
        Layer("latest", server("image: {tag: latest}"), ("qwen3-8b prod", "qwen3-32b test", "qwen3-8b dev")),
    ),
    "values: numbers against each other": (
        Layer("least above most", llm("replicas: {min: 9, max: 4}")),
        Layer("GPU budget exceeded", llm("gpu: {budget: 1}"), ROUTED),
        Layer("context beyond memory", server("engine: {maxModelLen: 10000000}")),
        Layer("weights larger than the GPU", llm("gpu: {product: T4}"),
              ("deepseek-r1 prod", "llama-3.3-70b staging")),
        Layer("GPUs against parallelism", server("resources: {gpus: 3}")),
        # Where weights are downloaded, and a config.json says how large they are.
        Layer("weights larger than the cache", server("cache: {sizeGiB: 1}"),
              ("qwen3-8b prod", "qwen3-32b test", "qwen3-8b dev")),
        Layer("share of memory above 1", server("engine: {gpuMemoryUtilization: 90}")),
        Layer("weights fall", server("strategy: {steps: [{setWeight: 50}, {setWeight: 20}, {setWeight: 100}]}"),
              CANARIES),
        Layer("weight 150", server("strategy: {steps: [{setWeight: 150}]}")),
        Layer("step of two kinds", server("strategy: {steps: [{setWeight: 50, pause: {}}]}")),
        Layer("step typo", server("strategy: {steps: [{setWeigth: 50}]}")),
        Layer("dynamic scale without router", server("strategy: {dynamicStableScale: true}"), UNROUTED),
        Layer("instant abort without router", server("strategy: {surge: instantAbort}"), UNROUTED),
        Layer("no spare with router", server("strategy: {surge: zeroSpare}"), ROUTED),
        Layer("neither surge nor missing servers",
              server("strategy: {surge: '', maxSurge: 0, maxUnavailable: 0}"), UNROUTED),
        Layer("shadow without router", server("strategy: {type: shadow}"), UNROUTED),
        Layer("test without a mark", server("strategy: {type: ab}"), ROUTED),
        Layer("gateway without name", server("trafficRouter: gatewayAPI"), ROUTED),
        Layer("istio without gateways", server("trafficRouter: istio"), ROUTED),
        Layer("dynamic scale with a warm old version",
              server("strategy: {dynamicStableScale: true, warmSeconds: 600}"), ROUTED),
        # No row for a small warmSeconds: the chart takes the longest stream where that is longer.
        Layer("quality without golden set", server("quality: {enabled: true}"), ROUTED),
        Layer("autoscaling without most", llm("replicas: {min: 4, max: 2}"), SCALED),
        Layer("cold start below load", "gpu-hpa: {coldStartSeconds: 15}\n", SCALED),
        Layer("target above the batch", "gpu-hpa: {inFlightPerReplica: 5000}\n", SCALED),
        Layer("drift against no exporter", "drift-cronjob: {exporter: {url: 'llm-drift-exporter:8080'}}\n", ("drift",)),
    ),
    "values: security": (
        Layer("key in clear", server("engine: {extraArgs: ['--api-key=sk-1234567890abcdef']}")),
        Layer("token in clear",
              server("engine: {extraEnv: [{name: HF_TOKEN, value: hf_" + "aB3dE5gH" * 4 + "}]}")),
        Layer("remote code", server("engine: {extraArgs: ['--trust-remote-code']}")),
        Layer("development mode", server("engine: {extraEnv: [{name: VLLM_SERVER_DEV_MODE, value: '1'}]}")),
        Layer("root", server("securityContext: {runAsUser: 0}")),
    ),
    "values: text": (
        Layer("a key twice", REPEATED),
        Layer("a tab", "global:\n\tllm: {}\n"),
        Layer("bracket open", "vllm-inference: {engine: {maxModelLen: 4096}\n"),
        Layer("two documents", "a: 1\n---\nb: 2\n"),
        Layer("a list", "- vllm-inference\n"),
        Layer("template left in", "vllm-inference: {image: {tag: {{ .Values.tag }}}}\n"),
        Layer("merge conflict", "<<<<<<< HEAD\nglobal: {}\n=======\nglobal: {}\n>>>>>>> branch\n"),
        Layer("an alias that explodes",
              "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
                  f"{b}: &{b} [{','.join('*' + a for _ in range(9))}]\n" for a, b in zip("abcdefgh", "bcdefghi",
                                                                                       strict=True))),
    ),
}  # fmt: skip
