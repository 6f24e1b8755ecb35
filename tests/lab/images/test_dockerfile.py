"""The reader of Dockerfiles, on small files; expectations follow Docker's reference."""

from __future__ import annotations

import pytest

from lab.images.dockerfile import Copy, DockerfileError, parse

TWO = """
# a comment
ARG REGISTRY=docker.io
ARG TAG="3-slim"
FROM ${REGISTRY}/library/python:$TAG AS build
ARG INDEX
ARG TAG
COPY a.txt b/c.txt to/
RUN one && \\
    # inside a continued line
    two
FROM scratch
ARG VERSION=1.0
ENV A=1 B="two words"
LABEL version="${VERSION}" \\
      text="x y"
COPY --from=build /install/lib /usr/local/lib
WORKDIR /srv
user 7:8
ENTRYPOINT ["python", "-m"]
CMD ["mod", "--help"]
"""


def test_stages_settings_and_copies() -> None:
    build, final = parse(TWO)
    assert (build.base, build.name, final.base, final.name) == (
        "docker.io/library/python:3-slim",
        "build",
        "scratch",
        "1",
    )
    assert build.copies == [Copy(("a.txt", "b/c.txt"), "to/")]
    assert build.runs == ["one && two"]
    assert final.copies == [Copy(("/install/lib",), "/usr/local/lib", "build")]
    assert final.env == {"A": "1", "B": "two words"}
    assert final.labels == {"version": "1.0", "text": "x y"}
    assert (final.user, final.workdir) == ("7:8", "/srv")
    assert (final.entrypoint, final.command) == (("python", "-m"), ("mod", "--help"))


def test_arguments_replace_defaults_and_a_bare_one_is_not_set() -> None:
    assert parse(TWO)[0].arguments == {"TAG": "3-slim"}
    build, final = parse(
        TWO, {"REGISTRY": "r.example.com/m", "INDEX": "https://i.example.com", "VERSION": "2"}
    )
    assert build.base == "r.example.com/m/library/python:3-slim"
    assert build.arguments == {"TAG": "3-slim", "INDEX": "https://i.example.com"}
    assert final.labels["version"] == "2"


@pytest.mark.parametrize(
    ("text", "words"),
    [("FROM a\nVOLUME /x", "VOLUME is not read here"), ("RUN x\nFROM a", "before the first FROM")],
)
def test_what_is_not_understood_is_refused(text: str, words: str) -> None:
    with pytest.raises(DockerfileError, match=words):
        parse(text)
