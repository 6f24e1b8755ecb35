"""A small chart with findings whose origin is known by looking at it, for the tests of reports."""

from __future__ import annotations

from pathlib import Path

from llmops import examine
from llmops.release import Inputs
from llmops.render import Target
from llmops.render.sdk import SdkRenderer
from llmops.report import template_origin
from llmops.report.contents import ReleaseReport

TEMPLATE = """\
{{- define "demo.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- end }}
{{- $labels := dict "app" .Release.Name }}
{{- if .Values.enabled }}
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {app: {{ .Values.selects | quote }}}
  {{- with .Values.ports }}
  ports:
    {{- toYaml . | nindent 4 }}
  {{- end }}
---
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}
  labels: {{- toYaml $labels | nindent 4 }}
spec:
  automountServiceAccountToken: false
  containers:
    - name: a
      image: {{ include "demo.image" . }}
      args:
        - |
          two lines
          of a script
{{- end }}
"""
DEFAULTS = (
    "enabled: true\nselects: demo\nimage: {repository: example.com/demo, tag: 1.0.0}\nports: [{port: 80}]\n"
)
MINE = "# mine\nimage:\n  tag: latest\nselects: other\n"


def chart(folder: Path, template: str = TEMPLATE) -> Path:
    """The chart `demo` in a folder below this one."""
    home = folder / "demo"
    (home / "templates").mkdir(parents=True)
    (home / "Chart.yaml").write_text("{apiVersion: v2, name: demo, version: 0.1.0}\n")
    (home / "values.yaml").write_text(DEFAULTS)
    (home / "templates/all.yaml").write_text(template)
    return home


def report(folder: Path, template: str = TEMPLATE, mine: str = MINE, name: str = "demo") -> ReleaseReport:
    """The release of that chart with `mine` as values file, judged and traced."""
    file = folder / "mine.yaml"
    home = chart(folder, template)
    file.write_text(mine)
    renderer = SdkRenderer()
    inputs = [Inputs(home, (file,), Target(name))]
    (one,) = template_origin.trace(examine.releases(inputs, renderer, ["1.35"]), renderer)
    return one
