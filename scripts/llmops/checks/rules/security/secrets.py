"""Secrets that stand as text, in objects and in values."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmops.checks.registry import ERROR, WARNING, defect, graph, rule, values_defect
from llmops.findings import Finding
from llmops.redaction import forms as credentials
from llmops.references import kind_of, mapping, sequence, text
from llmops.release import Release
from llmops.render.manifest import Object

_SECRET = ("", "Secret")
# A Secret of these types is filled by the cluster, or holds nothing that is secret.
_FILLED = ("kubernetes.io/service-account-token",)
_PUBLIC = (".crt", ".ca", ".pub")
_URL_FIX = (
    "Take the URL out, change its token, and name a Secret that holds the URL: urlSecret with name and key."
)
_KEY = re.compile(r"(?:^|\s)--(?:api-key|hf-token)[= ]")
_FILES = (("", "ConfigMap"),)
_SCHEMAS = ("CustomResourceDefinition", "ValidatingAdmissionPolicy", "MutatingAdmissionPolicy")


@rule(
    "LS105",
    severity=ERROR,
    fix="Take it out, change it, and name a Secret that is made outside of Git (valueFrom, a mounted file).",
)
def secret_in_manifest(release: Release) -> Iterator[Finding]:
    """A credential in an object is read by all who may read it, and stays in Git, Helm's history and audit logs.

    Found by its form (hub tokens, cloud keys, private keys, passwords in URLs) anywhere in an object, and by a
    name like api_key before a random value in ConfigMaps, their files, and annotations. The policy literal-secret
    judges variables by their name, key-in-arguments the two flags of the engine.
    """
    for obj in release.objects:
        # What the API server derives from a Secret's own fields is the next rule's business.
        if kind_of(obj) == _SECRET or obj.kind in _SCHEMAS:
            continue
        for pointer, key, value in _suspects(obj):
            if said := _credential(obj, pointer, key, value):
                yield defect(obj, pointer, f"{said} stands here as text.")


@rule(
    "LS106",
    severity=WARNING,
    fix="Leave the Secret out, and let ExternalSecret, SealedSecret or a person make it; name it in the values.",
)
def secret_object(release: Release) -> Iterator[Finding]:
    """A Secret with its values written out is only encoded: whoever reads the repository or the release has it.

    Values that are empty count as none, and so do certificates and a Secret that the cluster fills.
    """
    for obj in graph(release).of_kind(_SECRET):
        if text(obj.data.get("type")) in _FILLED:
            continue
        for field in ("data", "stringData"):
            pairs = mapping(obj.data.get(field)).items()
            filled = sorted(str(key) for key, value in pairs if value and not str(key).endswith(_PUBLIC))
            if filled:
                yield defect(obj, f"/{field}", f"the value of {', '.join(filled)} is written out.")


@rule("LS107", severity=ERROR, fix="Take it out, change it, and write the name of a Secret instead.")
def secret_in_values(release: Release) -> Iterator[Finding]:
    """A credential in a values file is in Git for good, and in every release that Helm keeps."""
    for file in release.values_files:
        for pointer, key, value in credentials.texts(file.data):
            what = credentials.in_values(value)
            if what or credentials.by_name(key, value):
                fix = _URL_FIX if what == credentials.URL_TOKEN else ""
                said = f"{what or f'the secret {key}'} stands here as text."
                yield values_defect(release, pointer, said, fix=fix)


def _suspects(obj: Object) -> Iterator[tuple[str, str, str]]:
    """(pointer, key, text) of what has to be looked at: mostly little, as one look at all texts together tells."""
    if credentials.by_form("\n".join(credentials.values(obj.data))):
        yield from credentials.texts(obj.data)
        return
    yield from credentials.texts(obj.get("/metadata/annotations"), "/metadata/annotations")
    if kind_of(obj) in _FILES:
        yield from credentials.texts(obj.get("/data"), "/data")


def _credential(obj: Object, pointer: str, key: str, value: str) -> str:
    """What stands there, in words; empty when it is no credential, or one that a policy reports."""
    what = credentials.by_form(value)
    if not what:
        file = kind_of(obj) in _FILES and pointer.startswith("/data/")
        if file or pointer.startswith("/metadata/annotations/"):
            named = key if credentials.by_name(key, value) else credentials.assigned(value)
            what = f"the secret {named}" if named else ""
    return "" if what and _by_policy(obj, pointer) else what


def _by_policy(obj: Object, pointer: str) -> bool:
    """Whether a policy reports it: a variable called like a secret, or an argument behind a key's flag."""
    holder, _, field = pointer.rpartition("/")
    name = text(mapping(obj.get(holder)).get("name"))
    if field == "value" and "/env/" in holder and credentials.names_secret(name):
        return True
    words = holder.endswith(("/args", "/command")) and [text(one) for one in sequence(obj.get(holder))]
    if not words:
        return False
    at = int(field)
    return bool(_KEY.search(words[at])) or (at > 0 and bool(_KEY.search(f"{words[at - 1]} ")))
