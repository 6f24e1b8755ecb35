"""What a team gets from the chart vllm-inference: objects, defaults, arithmetic, and refusals."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmops.findings import RefusedError
from tests.charts.conftest import MODEL, Render, merge

CHART = "vllm-inference"
SHA = "0123456789abcdef0123456789abcdef01234567"
TRAEFIK = {"trafficRouter": "traefik", "route": {"host": "demo.example.com"}}
PROPERTY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def source(uri: str, revision: str = "") -> dict[str, Any]:
    return {"global": {"llm": {"model": {"source": uri, "revision": revision}}}}


def llm(**facts: Any) -> dict[str, Any]:
    return {"global": {"llm": facts}}


# --- defaults ---------------------------------------------------------------------------------------------------


def test_defaults_are_what_teams_expect(render: Render) -> None:
    objects = render(CHART)
    assert objects.kinds() == [
        ("ConfigMap", "demo-test"),
        ("NetworkPolicy", "demo"),
        ("Pod", "demo-test"),
        ("PodDisruptionBudget", "demo"),
        ("Rollout", "demo"),
        ("Service", "demo"),
        ("ServiceAccount", "demo"),
    ]
    assert objects.workload["spec"]["replicas"] == 2
    assert objects.engine["image"] == "vllm/vllm-openai:v0.33.0"
    assert objects.engine["imagePullPolicy"] == "IfNotPresent"
    assert objects.engine["ports"] == [{"name": "http", "containerPort": 8000, "protocol": "TCP"}]
    port = objects.one("Service", "demo")["spec"]["ports"][0]
    assert (port["port"], port["targetPort"]) == (80, "http")


def test_a_deployment_has_one_service_and_no_steps(render: Render) -> None:
    objects = render(CHART, {"workload": "Deployment"})
    assert [name for kind, name in objects.kinds() if kind == "Service"] == ["demo"]
    assert objects.workload["apiVersion"] == "apps/v1"
    assert objects.workload["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }


def test_an_autoscaler_owns_the_replicas(render: Render) -> None:
    autoscaled = render(CHART, llm(components={"autoscaling": True}))
    assert "replicas" not in autoscaled.workload["spec"]
    assert render(CHART, {"replicas": 5}).workload["spec"]["replicas"] == 5
    assert render(CHART, llm(replicas={"min": 7})).workload["spec"]["replicas"] == 7


# --- engine -----------------------------------------------------------------------------------------------------


def test_typed_values_become_flags_only_when_set(render: Render) -> None:
    assert render(CHART).arguments == [
        "Qwen/Qwen3-8B-AWQ",
        "--served-model-name=demo",
        "--gpu-memory-utilization=0.9",
        "--tensor-parallel-size=1",
        "--pipeline-parallel-size=1",
        "--shutdown-timeout=120",
        "--disable-access-log-for-endpoints=/health,/metrics,/ping",
    ]
    engine = {
        "maxModelLen": 1048576,
        "maxNumSeqs": 256,
        "dtype": "bfloat16",
        "kvCacheDtype": "fp8",
        "quantization": "awq_marlin",
        "extraArgs": ["--seed=1"],
    }
    arguments = render(CHART, {"engine": engine}).arguments
    assert "--max-model-len=1048576" in arguments  # not 1.048576e+06
    assert {
        "--max-num-seqs=256",
        "--dtype=bfloat16",
        "--kv-cache-dtype=fp8",
        "--quantization=awq_marlin",
    } <= set(arguments)
    assert arguments[-1] == "--seed=1"


@pytest.mark.parametrize(("tensor", "pipeline", "gpus"), [(1, 1, "1"), (4, 1, "4"), (2, 3, "6")])
def test_gpus_follow_from_parallelism(render: Render, tensor: int, pipeline: int, gpus: str) -> None:
    values = {
        "engine": {"parallelism": {"tensor": tensor, "pipeline": pipeline}},
        "resources": {"gpus": int(gpus)},
    }
    resources = render(CHART, values).engine["resources"]
    assert resources["requests"]["nvidia.com/gpu"] == resources["limits"]["nvidia.com/gpu"] == gpus


def test_another_vendor_resource(render: Render) -> None:
    rocm = {"image": {"repository": "vllm/vllm-openai-rocm"}}
    objects = render(CHART, llm(gpu={"resource": "amd.com/gpu"}), rocm)
    assert objects.engine["resources"]["limits"]["amd.com/gpu"] == "1"
    assert "nvidia.com/gpu" not in str(objects.pod["tolerations"])
    assert objects.pod["tolerations"] == [
        {"key": "amd.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]


def test_hub_model_is_pinned_everywhere_and_token_comes_by_reference(render: Render) -> None:
    objects = render(
        CHART,
        source("hf://Qwen/Qwen3-8B", SHA),
        {"hub": {"tokenSecret": {"name": "hub"}}},
        llm(environment={"hubEndpoint": "https://hub.example.com"}),
    )
    assert objects.arguments[0] == "Qwen/Qwen3-8B"
    assert {f"--revision={SHA}", f"--tokenizer-revision={SHA}", f"--code-revision={SHA}"} <= set(
        objects.arguments
    )
    assert objects.environment["HF_TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    assert objects.environment["HF_ENDPOINT"] == "https://hub.example.com"
    assert "HF_HUB_OFFLINE" not in objects.environment


def test_model_on_a_volume_is_read_only_and_offline(render: Render) -> None:
    objects = render(CHART, source("pvc://weights/qwen/3-8b"))
    assert objects.arguments[0] == "/models/qwen/3-8b"
    assert {"name": "model", "mountPath": "/models", "readOnly": True} in objects.engine["volumeMounts"]
    assert {
        "name": "model",
        "persistentVolumeClaim": {"claimName": "weights", "readOnly": True},
    } in objects.pod["volumes"]
    assert objects.environment["HF_HUB_OFFLINE"] == "1"
    assert render(CHART, source("pvc://weights")).arguments[0] == "/models"


def test_model_inside_the_image(render: Render) -> None:
    objects = render(CHART, source("file:///opt/models/qwen3"))
    assert objects.arguments[0] == "/opt/models/qwen3"
    assert objects.environment["HF_HUB_OFFLINE"] == "1"


def test_image_mirror_digest_and_pull_secrets(render: Render) -> None:
    digest = "sha256:" + "a" * 64
    objects = render(
        CHART,
        {"image": {"digest": digest}, "imagePullSecrets": ["mirror"]},
        llm(environment={"registry": "registry.example.com:5000/hub"}),
    )
    assert objects.engine["image"] == f"registry.example.com:5000/hub/vllm/vllm-openai:v0.33.0@{digest}"
    assert objects.pod["imagePullSecrets"] == [{"name": "mirror"}]
    own = render(
        CHART,
        {"image": {"registry": "own.example.com"}},
        llm(environment={"registry": "registry.example.com"}),
    )
    assert own.engine["image"].startswith("own.example.com/vllm/")


# --- lifecycle --------------------------------------------------------------------------------------------------

LIFECYCLE = st.fixed_dictionaries(
    {
        "loadSeconds": st.integers(1, 36000),
        "imagePullSeconds": st.integers(0, 36000),
        "longestStreamSeconds": st.integers(1, 36000),
        "preStopSeconds": st.integers(1, 600),
    }
)


@PROPERTY
@given(lifecycle=LIFECYCLE)
def test_deadlines_never_contradict_each_other(render: Render, lifecycle: dict[str, int]) -> None:
    objects = render(CHART, TRAEFIK, {"lifecycle": lifecycle})
    spec, pod, engine = objects.workload["spec"], objects.pod, objects.engine
    startup = engine["startupProbe"]["periodSeconds"] * engine["startupProbe"]["failureThreshold"]
    assert startup >= 2 * lifecycle["loadSeconds"]
    assert spec["progressDeadlineSeconds"] > startup + lifecycle["imagePullSeconds"]
    pre_stop = engine["lifecycle"]["preStop"]["sleep"]["seconds"]
    shutdown = int(next(a for a in objects.arguments if a.startswith("--shutdown-timeout=")).split("=")[1])
    assert shutdown == lifecycle["longestStreamSeconds"]
    # The process was seen to need 12 to 14 s more after the last stream; a pod killed in them ends with 137.
    assert pod["terminationGracePeriodSeconds"] >= pre_stop + shutdown + 15
    assert spec["strategy"]["canary"]["scaleDownDelaySeconds"] > lifecycle["longestStreamSeconds"] + pre_stop
    readiness, liveness = engine["readinessProbe"], engine["livenessProbe"]
    gives_up = readiness["failureThreshold"] * readiness["periodSeconds"]
    assert gives_up < liveness["failureThreshold"] * liveness["periodSeconds"]


def test_probes_know_about_the_api_key(render: Render) -> None:
    def paths(objects: Any) -> list[str]:
        return [
            objects.engine[p]["httpGet"]["path"] for p in ("startupProbe", "readinessProbe", "livenessProbe")
        ]

    assert paths(render(CHART)) == ["/v1/models", "/v1/models", "/health"]
    keyed = render(CHART, {"engine": {"apiKey": {"secret": "engine-key"}}})
    assert paths(keyed) == ["/health", "/health", "/health"]
    assert keyed.environment["VLLM_API_KEY"] == {"secretKeyRef": {"name": "engine-key", "key": "api-key"}}


def test_shared_memory_counts_as_memory_and_disk_holds_the_cache(render: Render) -> None:
    objects = render(CHART, {"resources": {"memoryGiB": 30, "shmGiB": 6}, "cache": {"sizeGiB": 50}})
    volumes = {volume["name"]: volume for volume in objects.pod["volumes"]}
    assert volumes["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "6Gi"}
    assert (
        objects.engine["resources"]["limits"]["memory"]
        == objects.engine["resources"]["requests"]["memory"]
        == "36Gi"
    )
    assert int(objects.engine["resources"]["limits"]["ephemeral-storage"].removesuffix("Gi")) >= 50 + 2
    kept = render(CHART, {"cache": {"existingClaim": "cache"}})
    assert {"name": "home", "persistentVolumeClaim": {"claimName": "cache"}} in kept.pod["volumes"]


def test_half_a_gib_is_enough_for_a_small_server(render: Render) -> None:
    objects = render(CHART, {"resources": {"memoryGiB": 0.5, "shmGiB": 1}})
    volumes = {volume["name"]: volume for volume in objects.pod["volumes"]}
    assert volumes["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Gi"}
    assert objects.engine["resources"]["limits"]["memory"] == "1536Mi"


# --- security ---------------------------------------------------------------------------------------------------


def pods(objects: Any) -> list[dict[str, Any]]:
    return [objects.pod, *(pod["spec"] for pod in objects.all("Pod"))]


@pytest.mark.parametrize("workload", ["Rollout", "Deployment"])
def test_every_pod_meets_the_restricted_standard(render: Render, workload: str) -> None:
    for pod in pods(render(CHART, {"workload": workload})):
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] == 2000
        assert security["runAsGroup"] == 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert all(
            set(v) - {"name"} <= {"emptyDir", "persistentVolumeClaim", "configMap"} for v in pod["volumes"]
        )
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_root_file_system_is_a_switch_and_everything_written_is_mounted(render: Render) -> None:
    assert render(CHART).engine["securityContext"]["readOnlyRootFilesystem"] is False
    locked = render(CHART, {"securityContext": {"readOnlyRootFilesystem": True}})
    assert locked.engine["securityContext"]["readOnlyRootFilesystem"] is True
    assert {"/home/vllm", "/tmp", "/dev/shm"} <= {m["mountPath"] for m in locked.engine["volumeMounts"]}  # noqa: S108
    assert locked.environment["HOME"] == "/home/vllm"


def test_network_policy_admits_gateway_scrape_and_own_pods_only(render: Render) -> None:
    facts = llm(environment={"gateway": {"namespace": "gw"}, "monitoring": {"namespace": "mon"}})
    policy = render(CHART, facts).one("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    (rule,) = policy["ingress"]
    assert rule["ports"] == [{"port": "http", "protocol": "TCP"}]
    assert rule["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gw"}}},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "mon"}}},
        {
            "podSelector": {
                "matchLabels": {"app.kubernetes.io/instance": "demo"},
                "matchExpressions": [
                    {"key": "app.kubernetes.io/component", "operator": "In", "values": ["job", "test"]}
                ],
            }
        },
    ]


def test_test_pod_is_one_that_the_network_policy_admits(render: Render) -> None:
    labels = render(CHART).one("Pod")["metadata"]["labels"]
    assert labels["app.kubernetes.io/instance"] == "demo"
    assert labels["app.kubernetes.io/component"] == "test"


def test_egress_reaches_the_hub_but_no_metadata_service(render: Render) -> None:
    facts = llm(environment={"hubEndpoint": "http://hub.example.com:8080/mirror"})
    dns, hub = render(CHART, facts).one("NetworkPolicy")["spec"]["egress"]
    assert {(p["port"], p["protocol"]) for p in dns["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert hub["ports"] == [{"port": 8080, "protocol": "TCP"}]
    assert hub["to"][0] == {
        "ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16", "100.100.100.200/32"]}
    }
    assert render(CHART, source("pvc://weights")).one("NetworkPolicy")["spec"]["egress"] == []


# --- disruption and placement -----------------------------------------------------------------------------------


def test_budget_allows_a_drain_and_never_waits_for_a_broken_engine(render: Render) -> None:
    budget = render(CHART).one("PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert "minAvailable" not in budget
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize(
    ("workload", "key"), [("Rollout", "rollouts-pod-template-hash"), ("Deployment", "pod-template-hash")]
)
def test_versions_spread_over_nodes_each_for_itself(render: Render, workload: str, key: str) -> None:
    (spread,) = render(CHART, {"workload": workload}).pod["topologySpreadConstraints"]
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
    assert spread["matchLabelKeys"] == [key]


def test_pods_go_to_nodes_with_the_gpu_they_were_sized_for(render: Render) -> None:
    affinity = render(CHART, llm(gpu={"product": "A100-80GB"})).pod["affinity"]["nodeAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    (expression,) = term["matchExpressions"]
    assert expression["key"] == "nvidia.com/gpu.product"
    assert "NVIDIA-A100-SXM4-80GB" in expression["values"]
    assert "affinity" not in render(CHART).pod


# --- canary -----------------------------------------------------------------------------------------------------

STEPS = [
    {"setWeight": 10},
    {"pause": {"duration": "5m"}},
    {"setWeight": 100},
]


def test_basic_canary_takes_its_share_through_the_one_service(render: Render) -> None:
    canary = render(CHART).workload["spec"]["strategy"]["canary"]
    assert canary == {
        "maxSurge": 1,
        "maxUnavailable": 0,
        "steps": STEPS,
    }
    own = [{"setWeight": 25}, {"pause": {}}]
    assert render(CHART, {"strategy": {"steps": own}}).workload["spec"]["strategy"]["canary"]["steps"] == own


def test_traefik_splits_traffic_and_only_v1_is_routed(render: Render) -> None:
    objects = render(CHART, TRAEFIK)
    canary = objects.workload["spec"]["strategy"]["canary"]
    assert canary["trafficRouting"] == {"traefik": {"weightedTraefikServiceName": "demo"}}
    (route,) = objects.one("IngressRoute")["spec"]["routes"]
    assert route["match"] == "Host(`demo.example.com`) && PathPrefix(`/v1/`)"
    assert route["services"] == [{"kind": "TraefikService", "name": "demo"}]
    services = objects.one("TraefikService")["spec"]["weighted"]["services"]
    assert services == [
        {"name": "demo", "port": 80},
        {"name": "demo-canary", "port": 80},
    ]  # weights are the controller's


def test_dynamic_stable_scale_excludes_the_scale_down_delay(render: Render) -> None:
    canary = render(CHART, TRAEFIK, {"strategy": {"dynamicStableScale": True}}).workload["spec"]["strategy"][
        "canary"
    ]
    assert canary["dynamicStableScale"] is True
    assert "scaleDownDelaySeconds" not in canary


GUARDED = {
    "global": {
        "llm": {
            "components": {"monitoring": True},
            "environment": {"monitoring": {"prometheusUrl": "http://prometheus:9090"}},
        }
    }
}


def test_a_canary_that_never_starts_meets_a_second_guard(render: Render) -> None:
    lifecycle = {"lifecycle": {"loadSeconds": 60, "imagePullSeconds": 30}}
    objects = render(CHART, GUARDED, lifecycle, namespace="models")
    analysis = objects.workload["spec"]["strategy"]["canary"]["analysis"]
    assert analysis["templates"] == [{"templateName": "demo-started"}]
    (metric,) = objects.one("AnalysisTemplate", "demo-started")["spec"]["metrics"]
    # Two times the load, and the pull: no healthy canary is judged before.
    assert metric["initialDelay"] == "150s"
    assert metric["inconclusiveLimit"] <= metric["count"]
    assert "len(result) > 0" in metric["successCondition"]
    assert "len(result) > 0" in metric["failureCondition"]
    query = metric["provider"]["prometheus"]["query"]
    assert query == (
        '(count(up{namespace="models",rollouts_pod_template_hash="{{args.canary-hash}}"} == 1) > bool 0)'
        ' or (0 * count(up{namespace="models",rollouts_pod_template_hash="{{args.stable-hash}}"} == 1))'
    )


def test_the_second_guard_waits_for_a_person_who_thinks_before_any_server(render: Render) -> None:
    steps = [{"pause": {}}, {"setWeight": 20}, {"pause": {"duration": "60s"}}]
    for listed, expected in ((steps, 1), (steps[1:], None)):
        strategy = {
            "trafficRouter": "traefik",
            "route": {"host": "x.example.com"},
            "strategy": {"steps": listed},
        }
        canary = render(CHART, GUARDED, strategy).workload["spec"]["strategy"]["canary"]
        assert canary["analysis"].get("startingStep") == expected


@pytest.mark.parametrize(
    "values",
    [
        {"workload": "Deployment"},
        llm(components={"monitoring": False}),
        llm(environment={"monitoring": {"prometheusUrl": ""}}),
    ],
)
def test_no_guard_without_scrapes_or_a_prometheus(render: Render, values: dict[str, Any]) -> None:
    objects = render(CHART, GUARDED, values)
    assert not objects.all("AnalysisTemplate")
    assert "analysis" not in str(objects.workload["spec"]["strategy"])


def test_host_follows_from_the_environment(render: Render) -> None:
    objects = render(
        CHART, {"trafficRouter": "traefik"}, llm(environment={"domain": "llm.example.com"}), name="qwen"
    )
    assert "Host(`qwen.llm.example.com`)" in objects.one("IngressRoute")["spec"]["routes"][0]["match"]


def test_what_the_controller_writes_to_carries_no_label_that_changes(render: Render) -> None:
    objects = render(CHART, TRAEFIK, llm(release={"version": "1.2.3"}))
    for item in [*objects.all("Service"), *objects.all("TraefikService")]:
        assert not {"helm.sh/chart", "app.kubernetes.io/version"} & set(item["metadata"]["labels"])
    assert objects.workload["metadata"]["labels"]["app.kubernetes.io/version"] == "1.2.3"


@pytest.mark.parametrize(
    ("values", "peak"),
    [
        ({}, 3),  # R + maxSurge
        ({"strategy": {"maxSurge": 0, "maxUnavailable": 1}}, 2),
        (TRAEFIK, 4),  # stable stays whole: 2R
        (merge(TRAEFIK, {"strategy": {"dynamicStableScale": True, "steps": [{"setWeight": 50}]}}), 3),
        (
            merge(
                TRAEFIK,
                {
                    "replicas": 4,
                    "strategy": {
                        "dynamicStableScale": True,
                        "steps": [{"setWeight": w} for w in (25, 50, 75)],
                    },
                },
            ),
            5,
        ),
        (merge({"engine": {"parallelism": {"tensor": 4}}}, TRAEFIK), 16),
        ({"workload": "Deployment"}, 3),
    ],
)
def test_peak_gpus_are_told_and_kept_below_the_budget(
    render: Render, values: dict[str, Any], peak: int
) -> None:
    within = render(CHART, values, llm(gpu={"budget": peak}), notes=True)
    assert f"{peak} GPUs at the peak of an update (budget {peak})" in within.notes
    with pytest.raises(RefusedError, match=f"takes {peak} GPUs at its peak"):
        render(CHART, values, llm(gpu={"budget": peak - 1}))


# --- names and selectors ----------------------------------------------------------------------------------------


def test_user_labels_reach_pods_but_no_selector(render: Render) -> None:
    plain = render(CHART)
    labelled = render(
        CHART,
        {"podLabels": {"team": "a", "app.kubernetes.io/instance": "evil"}},
        llm(release={"version": "9.9.9"}),
    )
    assert labelled.workload["spec"]["template"]["metadata"]["labels"]["team"] == "a"
    assert labelled.workload["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/instance"] == "demo"
    assert labelled.workload["spec"]["selector"] == plain.workload["spec"]["selector"]
    assert labelled.one("Service") == plain.one("Service")


def test_two_long_releases_share_a_namespace_without_collision(render: Render) -> None:
    names = ["a" * 52 + end for end in "xy"]
    both = [render(CHART, TRAEFIK, name=name) for name in names]
    kinds = [kind for objects in both for kind in objects.kinds()]
    assert len(kinds) == len(set(kinds)) == 24
    # Names of Services and labels end at 63 letters, those of ConfigMaps at 253.
    assert max(len(name) for kind, name in kinds if kind != "ConfigMap") <= 63
    selectors = [
        objects.workload["spec"]["selector"]["matchLabels"]["app.kubernetes.io/instance"] for objects in both
    ]
    assert selectors == names


@pytest.mark.parametrize("name", ["llama-3.3-70b", "3b"])
def test_a_name_that_no_service_could_have_is_refused(render: Render, name: str) -> None:
    with pytest.raises(RefusedError, match="cannot be the name of a Service"):
        render(CHART, name=name)


@pytest.mark.parametrize("suffix", ["-canary", "-started", "-test", "-drift"])
def test_a_name_that_another_release_would_use_is_refused(render: Render, suffix: str) -> None:
    with pytest.raises(RefusedError, match="choose another name"):
        render(CHART, name=f"qwen{suffix}")


# --- refusals ---------------------------------------------------------------------------------------------------

REFUSALS = {
    "no model name": (llm(model={"name": ""}), "global.llm.model.name is empty"),
    "no source": (source(""), "global.llm.model.source is empty"),
    "replicas under an autoscaler": (
        merge({"replicas": 3}, llm(components={"autoscaling": True})),
        "replicas is 3, but an autoscaler owns the number of servers",
    ),
    "max below min": (llm(replicas={"min": 4, "max": 2}), "global.llm.replicas.max is 2, below min 4"),
    "unsafe engine": ({"engine": {"version": "0.32.9"}}, 'write engine: {version: "0.33.0"}'),
    "flag with a key": ({"engine": {"extraArgs": ["--max-model-len=10"]}}, "belongs to engine.maxModelLen"),
    "flag in two words": (
        {"engine": {"extraArgs": ["--tensor-parallel-size", "2"]}},
        "belongs to engine.parallelism.tensor",
    ),
    "derived flag": ({"engine": {"extraArgs": ["--api-key=x"]}}, "belongs to engine.apiKey"),
    "contradicting GPUs": ({"resources": {"gpus": 4}}, "resources.gpus is 4, but parallelism takes 1 GPUs"),
    "over budget": (
        merge({"engine": {"parallelism": {"tensor": 3}}}, llm(gpu={"budget": 2})),
        "global.llm.gpu.budget is 2, but an update of demo takes 9 GPUs",
    ),
    "flag with underscores": (
        {"engine": {"extraArgs": ["--max_model_len=5"]}},
        "belongs to engine.maxModelLen",
    ),
    "flag and value in one word": (
        {"engine": {"extraArgs": ["--max-model-len 5"]}},
        "belongs to engine.maxModelLen",
    ),
    "short flag": ({"engine": {"extraArgs": ["-tp=4"]}}, "belongs to engine.parallelism.tensor"),
    "another port": ({"engine": {"extraArgs": ["--port=9000"]}}, "belongs to the container port 8000"),
    "variable of the chart": (
        {"engine": {"extraEnv": [{"name": "HOME", "value": "/"}]}},
        "extraEnv sets HOME",
    ),
    "path upwards": (source("pvc://weights/../other"), "has '.' or '..' in its path"),
    "NVIDIA product on another vendor": (
        llm(gpu={"product": "L4", "resource": "amd.com/gpu"}),
        "is an NVIDIA GPU, but global.llm.gpu.resource is amd.com/gpu",
    ),
    "canary scaled over the budget": (
        merge(
            TRAEFIK, {"strategy": {"steps": [{"setCanaryScale": {"replicas": 10}}]}}, llm(gpu={"budget": 4})
        ),
        "takes 12 GPUs at its peak",
    ),
    "unknown GPU": (llm(gpu={"product": "L5"}), "global.llm.gpu.product L5 is not in the GPU table"),
    "router without host": ({"trafficRouter": "traefik"}, "the route has no host"),
    "canary scale without router": (
        {"strategy": {"steps": [{"setCanaryScale": {"replicas": 1}}]}},
        "Argo Rollouts refuses without a traffic router",
    ),
    "single server without surge": (
        merge({"replicas": 1}, {"strategy": {"maxSurge": 0, "maxUnavailable": 1}}),
        "maxSurge is 0 with a single server",
    ),
    "token without hub": (
        merge(source("pvc://weights"), {"hub": {"tokenSecret": {"name": "hub"}}}),
        "needs no hub",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_contradictions_are_refused_in_one_sentence(render: Render, case: str) -> None:
    values, sentence = REFUSALS[case]
    with pytest.raises(RefusedError) as refusal:
        render(CHART, values)
    assert sentence in refusal.value.message
    assert "\n" not in refusal.value.message.strip()
    assert "validate.yaml" not in refusal.value.message


def test_refusals_name_keys_as_the_umbrella_spells_them(render: Render) -> None:
    with pytest.raises(
        RefusedError, match=r"vllm-inference\.resources\.gpus is 4.*write vllm-inference: \{engine:"
    ):
        render("llm-stack", {"vllm-inference": {"resources": {"gpus": 4}}})


# --- notes and helm test ----------------------------------------------------------------------------------------


def test_notes_give_the_next_commands(render: Render) -> None:
    notes = render(CHART, TRAEFIK, name="qwen", namespace="models", notes=True).notes
    assert (
        "kubectl -n models wait --for=jsonpath='{.status.phase}'=Healthy --timeout=1620s rollout/qwen"
        in notes
    )
    assert "helm test qwen -n models --logs" in notes
    assert "curl https://demo.example.com/v1/models" in notes
    assert "--server-side=false" in notes
    assert (
        '-H "Authorization: Bearer $KEY"'
        in render(CHART, {"engine": {"apiKey": {"secret": "k"}}}, notes=True).notes
    )
    assert "rollout status deployment/demo" in render(CHART, {"workload": "Deployment"}, notes=True).notes


def test_helm_test_asks_the_stable_service_with_the_engine_image(render: Render) -> None:
    objects = render(CHART, {"service": {"port": 8080}, "engine": {"apiKey": {"secret": "engine-key"}}})
    pod = objects.one("Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = pod["spec"]["containers"]
    assert container["image"] == objects.engine["image"]
    environment = {item["name"]: item.get("value") for item in container["env"]}
    assert environment["ENGINE_URL"] == "http://demo:8080"
    assert environment["MODEL_NAME"] == "demo"
    assert "API_KEY" in environment
    script = objects.one("ConfigMap")["data"]["smoke.py"]
    compile(script, "smoke.py", "exec")


def test_minimal_values_are_enough(render: Render) -> None:
    assert render(CHART, MODEL, bare=True).workload["kind"] == "Rollout"
