"""An archive follows the files of its chart, except while a run holds the charts as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmops.render import Target
from llmops.render.archive import archive, held
from llmops.render.sdk import SdkRenderer

CHART = "apiVersion: v2\nname: one\nversion: 0.1.0\n"
OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    folder = tmp_path / "one"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text(CHART, encoding="utf-8")
    write(folder, "first")
    return folder


def write(chart: Path, name: str) -> None:
    (chart / "templates/map.yaml").write_text(OBJECT % name, encoding="utf-8")


def rendered(chart: Path) -> str:
    [text] = SdkRenderer().render(archive(chart, schemas=False), [], Target("demo")).templates.values()
    return text


def test_a_changed_file_is_seen_at_once(chart: Path) -> None:
    assert "first" in rendered(chart)
    write(chart, "second")
    assert "second" in rendered(chart)


def test_charts_that_are_held_stay_as_they_were(chart: Path) -> None:
    with held():
        assert "first" in rendered(chart)
        write(chart, "second")
        assert "first" in rendered(chart)
        with held():
            assert "first" in rendered(chart)
        assert "first" in rendered(chart), "the inner one must not let go of what the outer one holds"
    assert "second" in rendered(chart)


def test_charts_are_let_go_when_a_run_fails(chart: Path) -> None:
    def stopped() -> None:
        with held():
            assert "first" in rendered(chart)
            raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        stopped()
    write(chart, "second")
    assert "second" in rendered(chart)


def test_with_and_without_schemas_are_held_apart(chart: Path) -> None:
    (chart / "values.schema.json").write_text('{"type": "object"}', encoding="utf-8")
    with held():
        assert len({archive(chart), archive(chart, schemas=False), archive(chart)}) == 2
