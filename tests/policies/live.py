"""The API server's word on an object: it is created for show, and the warnings of policies are read.

`python -m tests.policies.live` writes them down for the fast test, from the running local cluster.
"""

from __future__ import annotations

import http.client
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from lab import cache
from lab.cluster import Cluster, client, objects
from lab.cluster.layout import API_PORT, NODE_ADDRESS
from lab.cluster.namespaces import inside
from llmops.kubernetes.admission import plural_of, policies
from llmops.references import kind_of
from llmops.release import archive
from llmops.render import Target
from llmops.render.manifest import parse
from llmops.render.sdk import SdkRenderer
from tests.policies import corpus

CHART = Path(__file__).parents[2] / "charts/llm-policies"
RELEASE = "llm-policies"
# Both as the API server puts them: the policy's name, the binding's name, the message.
WARNED = re.compile(
    rf"Validation failed for ValidatingAdmissionPolicy '{RELEASE}-(\S+)' with binding '\S+': (.*)"
)
DENIED = re.compile(
    rf"ValidatingAdmissionPolicy '{RELEASE}-(\S+)' with binding '\S+' denied request: (.*?)\",\"reason\""
)
REFUSED = 422
ALL = {"namespaces": [corpus.NAMESPACE], "clusterScoped": True}


MERGE = client.MERGE_PATCH


@contextmanager
def installed(
    cluster: Cluster, values: dict[str, Any], awaited: Sequence[str] = tuple(one.name for one in policies())
) -> Iterator[None]:
    """The chart by real Helm, until the block ends; it begins when the API server acts on the `awaited` policies."""
    helm = [str(cache() / "bin/helm"), "--kubeconfig", str(cluster.kubeconfig), "--namespace", "default"]
    objects.namespace(cluster.layout, corpus.NAMESPACE)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "values.yaml"
        file.write_text(yaml.safe_dump(values), encoding="utf-8")
        cluster.run_inside([*helm, "dependency", "update", str(CHART)])
        cluster.run_inside([*helm, "upgrade", "--install", RELEASE, str(CHART), "-f", str(file), "--wait"])
        try:
            _taken_up(cluster, awaited)
            yield
        finally:
            cluster.run_inside([*helm, "uninstall", RELEASE])


def _taken_up(cluster: Cluster, awaited: Sequence[str], seconds: float = 30) -> None:
    """Waits until policies and their bindings act: the server reads them on its own time."""
    said = [(len(corpus.judged(one)), index, one) for index, one in enumerate(corpus.objects())]
    refused = sorted(case for case in said if case[0])
    # For each policy an object that as few others as possible refuse.
    proofs = {name: next(one for *_, one in refused if name in corpus.judged(one)) for name in awaited}
    end = time.monotonic() + seconds
    while proofs:
        for name, proof in list(proofs.items()):
            status, named = asked(cluster, [proof])[0]
            # A refusal names only one of the policies that refuse this object.
            if name in named or (status == REFUSED and len(corpus.judged(proof)) > 1):
                del proofs[name]
        assert not proofs or time.monotonic() < end, f"the API server never asked {', '.join(proofs)}"
        time.sleep(0.2)


def rendered(layers: list[dict[str, Any]], namespace: str) -> list[corpus.Data]:
    """The objects of llm-stack with these values that policies judge, each in the namespace."""
    target = Target(name="demo", namespace=namespace)
    result = SdkRenderer().render(archive(CHART.parent / "llm-stack"), layers, target)
    objects = [obj for path, text in result.templates.items() for obj in parse(text, path)]
    return [obj.data for obj in objects if any(one.matches(*kind_of(obj)) for one in policies())]


def asked(cluster: Cluster, objects: Sequence[corpus.Data]) -> list[tuple[int, dict[str, list[str]]]]:
    """For each object the status of a dry run, and policy → messages of the warnings or of the refusal.

    A refusal names only the first of the policies that refuse.
    """
    answers = []
    for one, (status, warnings, text) in zip(objects, tried(cluster, objects), strict=True):
        said: dict[str, list[str]] = {}
        for warning in warnings:
            if match := WARNED.fullmatch(warning):
                said.setdefault(match[1], []).append(match[2])
        # 409: one of the cluster's own roles, which is there already; admission comes first.
        if status == REFUSED and (match := DENIED.search(text)):
            said = {match[1]: [json.loads(f'"{match[2]}"')]}
        elif status not in (201, 409):
            raise AssertionError(f"{one['kind']} {one['metadata']['name']}: {status} {text}")
        answers.append((status, {name: sorted(messages) for name, messages in said.items()}))
    return answers


def tried(cluster: Cluster, objects: Sequence[corpus.Data]) -> list[tuple[int, list[str], str]]:
    """Status, warnings and body of a dry run that creates each object, over one connection."""
    credentials = client._credentials(cluster.layout, (cluster.layout.pki / "admin.crt").stat().st_mtime_ns)

    def call() -> list[tuple[int, list[str], str]]:
        answers = []
        with closing(
            http.client.HTTPSConnection(NODE_ADDRESS, API_PORT, context=credentials, timeout=20)
        ) as server:
            for one in objects:
                headers = {"Content-Type": "application/json"}
                server.request("POST", f"{path(one)}?dryRun=All", json.dumps(one), headers)
                answer = server.getresponse()
                text = answer.read().decode()
                # 299 - "text", with quotes and backslashes of the text behind a backslash.
                quoted = [
                    header.partition('"')[2].rpartition('"')[0]
                    for header in answer.headers.get_all("Warning", [])
                ]
                answers.append((answer.status, [re.sub(r"\\(.)", r"\1", one) for one in quoted], text))
        return answers

    return inside(call)


def path(data: corpus.Data) -> str:
    """Where objects of this kind are created."""
    api, namespace = data["apiVersion"], data["metadata"].get("namespace")
    below = f"/namespaces/{namespace}" if namespace else ""
    return f"{'/apis' if '/' in api else '/api'}/{api}{below}/{plural_of(data['kind'])}"


def main() -> int:
    cluster = Cluster()
    cases = corpus.objects()
    with installed(cluster, {"mode": "warn", **ALL}):
        answers = asked(cluster, cases)
        for one in cluster.api("GET", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies")[
            "items"
        ]:
            for warning in one.get("status", {}).get("typeChecking", {}).get("expressionWarnings", ()):
                print(one["metadata"]["name"], warning["fieldRef"], warning["warning"][:300])  # noqa: T201
    wrong = [
        (case, said, corpus.judged(case))
        for case, (_, said) in zip(cases, answers, strict=True)
        if said != corpus.judged(case)
    ]
    for case, said, ours in wrong:
        print(f"API server {said}, toolkit {ours}: {json.dumps(case)}")  # noqa: T201
    lines = [
        json.dumps({"object": case, "said": said}, sort_keys=True) + "\n"
        for case, (_, said) in zip(cases, answers, strict=True)
    ]
    corpus.STORED.write_text("".join(lines), encoding="utf-8")
    warned = sum(bool(said) for _, said in answers)
    print(f"{len(cases)} objects, {warned} warned of, {len(cases) - len(wrong)} judged alike")  # noqa: T201
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
