"""What `llmops rollout status` says of objects as a cluster has them, written by hand after the API's types."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from llmops import examine
from llmops.cli import main
from llmops.gates.evidence import GateVerdict

HERE = Path(__file__).parent
NEW, STABLE = "6d4b8c9f7", "5f7d9b8c6"
PATCH = "kubectl -n llm-prod patch rollout qwen3-8b --subresource=status --type=merge -p "
ABORT = PATCH + '\'{"status": {"abort": true}}\''


def status(file: str | Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["rollout", "status", "--from", str(HERE / file), *arguments])


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((HERE / name).read_text()))


def changed(tmp_path: Path, name: str, **fields: Any) -> Path:
    """A copy of a fixture whose Rollout has other status fields."""
    rollout, *others = documents(name)
    rollout["status"].update(fields)
    file = tmp_path / "changed.yaml"
    file.write_text(yaml.safe_dump_all([rollout, *others]))
    return file


@pytest.mark.parametrize(
    ("file", "state", "code", "says"),
    [
        (
            "too-few-requests.yaml",
            "progressing",
            0,
            [
                "step      2 of 4: analysis qwen3-8b-gate",
                f"10 % to the new version {NEW}",
                # 12 requests more in two minutes, 35 to go.
                "too few requests: 15 of at least 50 measured, at the present rate enough in about 6 min",
                "it looks for at least 5 min, since 2026-11-20T10:05:00Z",
                "0.1 against 2.4, samples 15 new / 140 stable",
                PATCH + '\'{"status": {"pauseConditions": null, "currentStepIndex": 2}}\'',
                ABORT,
            ],
        ),
        (
            "prometheus-gone.yaml",
            "held",
            1,
            [
                "the gate service answers, but cannot ask Prometheus, 7 measurements in a row (ttft)",
                "the measurement says: received non 2xx response code: 503",
                "neither promoted nor aborted",
                "samples 80 new, 700 stable, at 2026-11-20T10:05:30Z",
                "kubectl -n monitoring logs deployment/llm-canary-gate --tail=20",
            ],
        ),
        (
            "inconclusive.yaml",
            "held",
            1,
            [
                "no verdict; it waits since 2026-11-20T11:05:00Z for a person",
                "too few requests: 20 of at least 50",
                PATCH + '\'{"status": {"pauseConditions": null}}\'',
                '"pauseConditions": null, "controllerPause": false, "currentStepIndex": 2',
            ],
        ),
        (
            "waits-for-a-person.yaml",
            "paused",
            0,
            [
                "waiting for a person since 2026-11-20T10:10:00Z",
                "gates have measured 120 requests of the new version so far, and none failed",
                PATCH + '\'{"status": {"pauseConditions": null}}\'',
            ],
        ),
        (
            "aborted-by-ttft.yaml",
            "aborted",
            1,
            [
                "aborted at 2026-11-20T10:08:31Z: all traffic is on the stable version again",
                "ttft failed in step 2 of 4: first tokens come later than from stable, samples 210 new, 1890 stable",
                "3.91 against 2.47",
                "Git still names the bad one",
                PATCH + '\'{"status": {"abort": false}}\'',
            ],
        ),
        (
            "never-ready.yaml",
            "held",
            1,
            [
                f"new       {NEW}: 0 of 1 pods ready",
                "CrashLoopBackOff (ended with OOMKilled, exit status 137, 4 restarts)",
                "kubectl -n llm-prod logs qwen3-8b-6d4b8c9f7-x7k2p --previous --tail=50",
                ABORT,
            ],
        ),
        (
            "healthy-measured.yaml",
            "healthy",
            0,
            [f"version {NEW} has all traffic", "gates measured 120 requests of 50 that its policy wants"],
        ),
        ("healthy-unmeasured.yaml", "unmeasured", 1, ["completed unmeasured: 4 requests of 50"]),
        (
            "blue-green.yaml",
            "paused",
            0,
            ["0 % to the new version", "the new version is ready behind the preview Service"],
        ),
    ],
)
def test_a_rollout_is_explained(file: str, state: str, code: int, says: list[str]) -> None:
    done = status(file)
    assert done.exit_code == code, done.output
    assert done.output.startswith(f"llm-prod/qwen3-8b: {state}\n")
    for words in says:
        assert words in done.output
    shown = json.loads(status(file, "--format", "json").output)
    assert (shown["state"], shown["exit_status"]) == (state, code)
    assert (shown["finding"] == "rollout/completed-unmeasured") == (state == "unmeasured")


def test_json_has_each_gate_with_its_figures() -> None:
    shown = json.loads(status("aborted-by-ttft.yaml", "--format", "json").output)
    (run,) = shown["runs"]
    ttft = run["gates"][0]
    assert (run["required"], run["measured"]) == (50, 210)
    figures = [ttft[key] for key in ("name", "outcome", "statistic", "bound", "canary", "stable")]
    assert figures == ["ttft", "fail", 3.91, 2.47, 210, 1890]
    assert {one["role"]: (one["wanted"], one["ready"]) for one in shown["versions"]} == {
        "new": (0, 0),
        "stable": (4, 4),
    }


def test_a_verdict_of_the_gates_is_read_as_they_write_it(tmp_path: Path) -> None:
    *others, run = documents("too-few-requests.yaml")
    verdict = GateVerdict("wait", "ttft: 12 of the 50 requests", 1.25, 2.5, 12.0, 90.0)
    results = run["status"]["metricResults"]
    results[0]["measurements"] = [{"phase": "Inconclusive", "value": json.dumps(asdict(verdict))}]
    results[1]["measurements"] = []
    file = tmp_path / "real.yaml"
    file.write_text(yaml.safe_dump_all([*others, run]))
    shown = status(file).output
    assert "too few requests: 12 of at least 50 measured\n" in shown
    assert "  ttft    wait       1.25 against 2.5, samples 12 new / 90 stable\n" in shown
    # The row has the gate's name already.
    assert "          12 of the 50 requests\n" in shown


def test_gates_without_a_sample_say_what_they_count(tmp_path: Path) -> None:
    """A row "0 new / 0 stable" would read as if nobody had looked."""
    *others, run = documents("aborted-by-ttft.yaml")
    once = GateVerdict("fail", "restarts: a canary server restarted once since the canary serves")
    works = GateVerdict("wait", "stall: every canary server that has requests works on them")
    run["status"]["metricResults"] = [
        {
            "name": name,
            "phase": phase,
            "measurements": [{"phase": phase, "value": json.dumps(asdict(verdict))}],
        }
        for name, phase, verdict in (("stall", "Inconclusive", works), ("restarts", "Failed", once))
    ]
    file = tmp_path / "facts.yaml"
    file.write_text(yaml.safe_dump_all([*others, run]))
    shown = status(file).output
    assert "  stall     wait       every canary server that has requests works on them\n" in shown
    assert "  restarts  fail       a canary server restarted once since the canary serves\n" in shown
    assert "restarts failed in step 2 of 4: a canary server restarted once since the canary serves\n" in shown
    assert "0 new" not in shown
    (gates,) = [one["gates"] for one in json.loads(status(file, "--format", "json").output)["runs"]]
    assert [(one["canary"], one["stable"]) for one in gates] == [(None, None)] * 2


@pytest.mark.parametrize("file", sorted(HERE.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_cluster_would_store_these_objects(file: Path) -> None:
    """The CRDs of Argo Rollouts know every field that a fixture uses."""
    (report,) = examine.manifests(file.read_text(), file.name, ["1.35"], ())
    assert [one for one in report.findings if one.rule.startswith("schema/")] == []


def test_what_an_aborted_attempt_measured_does_not_count(tmp_path: Path) -> None:
    file = changed(
        tmp_path,
        "aborted-by-ttft.yaml",
        abort=False,
        abortedAt=None,
        phase="Healthy",
        message="",
        stableRS=NEW,
        conditions=[],
    )
    done = status(file)
    assert done.exit_code == 1
    assert "no gate's run of this version is left" in done.output


def test_the_first_installation_runs_no_steps_and_is_no_finding(tmp_path: Path) -> None:
    rollout, *_ = documents("healthy-measured.yaml")
    rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"] = "1"
    file = tmp_path / "first.yaml"
    file.write_text(yaml.safe_dump(rollout))
    done = status(file)
    assert done.exit_code == 0
    assert "the first installation runs no steps" in done.output


def test_a_rollout_without_gates_is_no_finding_but_says_so(tmp_path: Path) -> None:
    rollout, *_ = documents("healthy-measured.yaml")
    rollout["spec"]["strategy"]["canary"]["steps"] = [{"setWeight": 50}]
    file = tmp_path / "plain.yaml"
    file.write_text(yaml.safe_dump(rollout))
    assert "its steps hold no gate, so nothing was measured" in status(file).output


@pytest.mark.parametrize(
    ("fields", "state", "says"),
    [
        # By hand: no gate failed and the controller names no reason.
        (
            {
                "abort": True,
                "abortedAt": "2026-11-20T10:20:00Z",
                "phase": "Degraded",
                "message": "RolloutAborted: Rollout aborted update to revision 2",
                "pauseConditions": [],
            },
            "aborted",
            "somebody aborted it by hand",
        ),
        (
            {
                "abort": True,
                "phase": "Degraded",
                "pauseConditions": [],
                "conditions": [
                    {
                        "type": "Progressing",
                        "status": "False",
                        "reason": "RolloutAborted",
                        "message": 'Rollout aborted update to revision 2: ReplicaSet "x" has timed out progressing.',
                    }
                ],
            },
            "aborted",
            "made no progress in time",
        ),
        ({"observedGeneration": "1"}, "progressing", "has not taken up the latest change"),
        # Somebody promoted a second ago: the conditions are gone, the controller has not reacted.
        ({"pauseConditions": []}, "progressing", "has not taken up the latest change"),
        (
            {"message": "InvalidSpec: no such Service", "phase": "Degraded"},
            "degraded",
            "refuses the specification",
        ),
        (
            {
                "phase": "Degraded",
                "message": "ProgressDeadlineExceeded: too slow",
                "pauseConditions": [],
                "controllerPause": False,
            },
            "degraded",
            "too slow",
        ),
    ],
)
def test_other_ways_to_stand_still(tmp_path: Path, fields: dict[str, Any], state: str, says: str) -> None:
    done = status(changed(tmp_path, "waits-for-a-person.yaml", **fields))
    assert done.output.startswith(f"llm-prod/qwen3-8b: {state}\n"), done.output
    assert says in done.output


def test_a_pause_by_hand_ends_with_a_patch_of_the_specification(tmp_path: Path) -> None:
    rollout, *others = documents("too-few-requests.yaml")
    rollout["spec"]["paused"] = True
    file = tmp_path / "paused.yaml"
    file.write_text(yaml.safe_dump_all([rollout, *others]))
    done = status(file)
    assert done.exit_code == 0
    assert (
        'kubectl -n llm-prod patch rollout qwen3-8b --type=merge -p \'{"spec": {"paused": false}}\''
        in done.output
    )


UNPLACED = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
}
PULLING = {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}
PODS: dict[str, tuple[dict[str, Any], int]] = {
    "Unschedulable (0/3 nodes are available: 3 Insufficient nvidia.com/gpu.)": (
        {"phase": "Pending", "conditions": [UNPLACED]},
        1,
    ),
    "ImagePullBackOff (not found)": ({"phase": "Pending", "containerStatuses": [{"state": PULLING}]}, 1),
    "runs, not ready yet (it loads its model": (
        {"phase": "Running", "containerStatuses": [{"ready": False, "state": {"running": {}}}]},
        0,
    ),
}


@pytest.mark.parametrize("says", PODS)
def test_a_pod_says_why_it_is_not_ready(tmp_path: Path, says: str) -> None:
    pod, code = PODS[says]
    *others, last = documents("never-ready.yaml")
    last["status"] = pod
    file = tmp_path / "pod.yaml"
    file.write_text(yaml.safe_dump_all([*others, last]))
    done = status(file)
    assert says in done.output
    assert done.exit_code == code


def test_a_smoke_job_that_failed_leads_to_its_log(tmp_path: Path) -> None:
    *others, run = documents("aborted-by-ttft.yaml")
    measured = {
        "phase": "Failed",
        "message": "two prompts came back empty",
        "metadata": {"job-name": "smoke-1"},
    }
    run["status"]["metricResults"] = [{"name": "smoke", "phase": "Failed", "measurements": [measured]}]
    file = tmp_path / "smoke.yaml"
    file.write_text(yaml.safe_dump_all([*others, run]))
    done = status(file)
    assert "smoke failed in step 2 of 4: two prompts came back empty" in done.output
    assert "kubectl -n llm-prod logs job/smoke-1" in done.output


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is not"),
        ("just words\n", "mapping"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", "no Rollout"),
        (None, "cannot be read"),
    ],
)
def test_garbage_is_one_sentence_and_exit_status_2(tmp_path: Path, content: str | None, says: str) -> None:
    file = tmp_path / "garbage.yaml"
    if content is not None:
        file.write_text(content)
    done = status(file)
    assert done.exit_code == 2
    assert done.output.startswith("llmops: ")
    assert done.output.count("\n") == 1
    assert says in done.output


@pytest.mark.parametrize("name", ["aborted-by-ttft.yaml", "never-ready.yaml", "blue-green.yaml"])
def test_fields_of_wrong_types_are_no_traceback(tmp_path: Path, name: str) -> None:
    """Objects may be anybody's; every field that is read may hold anything."""
    whole = documents(name)
    file = tmp_path / "odd.json"
    for position, document in enumerate(whole):
        for key in ("metadata", "spec", "status"):
            for below in document.get(key, {}):
                for wrong in (7, "text", ["text"], {"a": []}):
                    odd = {**document, key: {**document[key], below: wrong}}
                    others = [odd if index == position else one for index, one in enumerate(whole)]
                    file.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": others}))
                    done = status(file)
                    assert isinstance(done.exception, SystemExit | None), (key, below, wrong, done.exception)
                    assert done.exit_code in (0, 1, 2)
