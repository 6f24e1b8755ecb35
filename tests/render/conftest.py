"""A small umbrella with everything Helm treats specially, and the three renderers that must agree on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llmops.render import Renderer
from llmops.render.binary import HelmRenderer
from llmops.render.sdk import SdkRenderer

UMBRELLA = {
    "stack/Chart.yaml": """\
apiVersion: v2
name: stack
version: 0.1.0
kubeVersion: ">=1.30.0-0"
dependencies:
  - {name: lib, version: 0.1.0, repository: "file://../lib"}
  - {name: web, version: ~0.2.0, repository: "file://../web", condition: global.components.web}
""",
    "stack/values.yaml": "global: {components: {web: true}, team: red}\nweb: {size: 2}\nmessage: hello\n",
    "stack/crds/widget.yaml": """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
""",
    "stack/templates/NOTES.txt": """\
{{ .Release.Name }} in {{ .Release.Namespace }}: {{ include "lib.team" . }}
""",
    "stack/templates/settings.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, annotations: {helm.sh/hook: pre-install}}
data: {message: {{ .Values.message | quote }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: facts}
data:
  kubernetes: {{ .Capabilities.KubeVersion.Version }}
  upgrade: {{ .Release.IsUpgrade | quote }}
  install: {{ .Release.IsInstall | quote }}
  widgets: {{ .Capabilities.APIVersions.Has "example.com/v1/Widget" | quote }}
  literal: |
    # Source: nowhere
    ---
    text
---
# nothing but a comment
""",
    "stack/templates/guard.yaml": """\
{{- if eq .Values.message "fail" }}{{ include "lib.guard" . }}{{ end }}
{{- if eq .Values.message "nil" }}
{{ .Values.not.there }}
{{- end }}
{{- if eq .Values.message "include" }}{{ include "lib.absent" . }}{{ end }}
""",
    "lib/Chart.yaml": "apiVersion: v2\nname: lib\ntype: library\nversion: 0.1.0\n",
    "lib/templates/_helpers.tpl": """\
{{- define "lib.team" -}}team {{ .Values.global.team }}{{- end -}}
{{- define "lib.guard" -}}{{ fail "message: write hello (stack.yaml:1:2), not fail" }}{{- end -}}
""",
    "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.2.3\n",
    "web/values.yaml": "size: 1\nlimits: {cpu: 1, memory: 2}\n",
    "web/templates/web.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}-web, labels: {team: {{ .Values.global.team }}}}
spec: {replicas: {{ .Values.size }}, limits: {{ toJson .Values.limits }}}
""",
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """Writes files below one folder and returns that folder."""

    def files(texts: dict[str, str]) -> Path:
        for name, text in texts.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return files


@pytest.fixture
def umbrella(write: Callable[[dict[str, str]], Path]) -> Path:
    return write(UMBRELLA) / "stack"


@pytest.fixture(params=["sdk", "helm4", "helm3"])
def each_renderer(request: pytest.FixtureRequest) -> Renderer:
    if request.param == "sdk":
        return SdkRenderer()
    return HelmRenderer(request.getfixturevalue(f"{request.param}_path"), name=request.param)
