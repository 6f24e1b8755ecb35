"""Secrets that stand as text, in objects and in values."""

from __future__ import annotations

import re
from collections import Counter
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
# Where anything may be a key.
_NAMES_OF_USERS = ("/metadata/annotations", "/data", "/spec/template/metadata/annotations")
_SCHEMAS = ("CustomResourceDefinition", "ValidatingAdmissionPolicy", "MutatingAdmissionPolicy")


@rule(
    "LS105",
    severity=ERROR,
    fix="Take it out, change it, and name a Secret that is made outside of Git (valueFrom, a mounted file).",
)
def secret_in_manifest(release: Release) -> Iterator[Finding]:
    """A credential in an object is read by all who may read it, and stays in Git, Helm's history and audit logs.

    Found by its form (hub tokens, cloud keys, private keys, passwords in URLs) anywhere in an object, and by a
    name like api_key before a random value in ConfigMaps, their files, and annotations; each one of a text is told,
    and so is a key of a map that is one. The policy literal-secret
    judges variables by their name, key-in-arguments the two flags of the engine.
    """
    for obj in release.objects:
        # What the API server derives from a Secret's own fields is the next rule's business.
        if kind_of(obj) == _SECRET or obj.kind in _SCHEMAS:
            continue
        for place in _NAMES_OF_USERS:
            for pointer, name in credentials.keys(obj.get(place), place):
                for said in _said(credentials.each(name)):
                    yield defect(obj, pointer, f"{said} stands here as a key.")
        for pointer, key, value in _suspects(obj):
            for said in _said(_credentials(obj, pointer, key, value)):
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
        for pointer, name in credentials.keys(file.data):
            for said in _said(credentials.each(name, hosts=True)):
                yield values_defect(release, pointer, f"{said} stands here as a key.")
        for pointer, key, value in credentials.texts(file.data):
            found = credentials.each(value, hosts=True)
            if not found and credentials.by_name(key, value):
                found = [f"the secret {key}"]
            for what, said in zip(found, _said(found), strict=True):
                fix = _URL_FIX if what == credentials.URL_TOKEN else ""
                yield values_defect(release, pointer, f"{said} stands here as text.", fix=fix)


def _said(found: list[str]) -> list[str]:
    """Each credential of one text in words; those of one kind are counted, so that none goes for another."""
    many = Counter(found)
    seen: Counter[str] = Counter()
    words = []
    for what in found:
        seen[what] += 1
        words.append(f"{what} ({seen[what]} of {many[what]})" if many[what] > 1 else what)
    return words


def _suspects(obj: Object) -> Iterator[tuple[str, str, str]]:
    """(pointer, key, text) of what has to be looked at: mostly little, as one look at all texts together tells."""
    if credentials.by_form("\n".join(credentials.values(obj.data))):
        yield from credentials.texts(obj.data)
        return
    yield from credentials.texts(obj.get("/metadata/annotations"), "/metadata/annotations")
    if kind_of(obj) in _FILES:
        yield from credentials.texts(obj.get("/data"), "/data")


def _credentials(obj: Object, pointer: str, key: str, value: str) -> list[str]:
    """What stands there, in words; empty when it is no credential, or one that a policy reports."""
    found = credentials.each(value)
    if not found:
        file = kind_of(obj) in _FILES and pointer.startswith("/data/")
        if file or pointer.startswith("/metadata/annotations/"):
            named = [key] if credentials.by_name(key, value) else credentials.assigned(value)
            found = [f"the secret {name}" for name in named]
    return [] if found and _by_policy(obj, pointer) else found


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
