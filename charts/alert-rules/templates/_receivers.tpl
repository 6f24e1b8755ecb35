{{- /* Who gets what, in the two spellings: of the operator's AlertmanagerConfig and of alertmanager.yml. */ -}}

{{- /* alert-rules.matchers: the conditions of a receiver, as a YAML array of matchers. Takes a receiver.
An alert of a GPU has no namespace, so only a receiver without `namespaces` gets it. */ -}}
{{- define "alert-rules.matchers" -}}
{{- $matchers := list -}}
{{- with .severities -}}
{{- $matchers = append $matchers (dict "name" "severity" "matchType" "=~" "value" (join "|" .)) -}}
{{- end -}}
{{- with .namespaces -}}
{{- $matchers = append $matchers (dict "name" "namespace" "matchType" "=~" "value" (join "|" .)) -}}
{{- end -}}
{{- $matchers | toYaml -}}
{{- end -}}

{{- /* alert-rules.apart: labels that tell releases apart, those of clusters among them, as a flow of words. */ -}}
{{- define "alert-rules.apart" -}}
{{- concat (list "namespace" "release") (keys .Values.rules.alertLabels | sortAlpha) .Values.alertmanager.clusterLabels | uniq | join ", " -}}
{{- end -}}

{{- /* alert-rules.inhibitions: which alert silences which, as source and target matchers. Both sides need a release: without it, `equal`
compares two empty labels, and the alert of one GPU would silence those of all others. */ -}}
{{- define "alert-rules.inhibitions" -}}
- source:
    - {name: service, matchType: "=", value: llm}
    - {name: severity, matchType: "=", value: critical}
    - {name: release, matchType: "=~", value: .+}
  target:
    - {name: service, matchType: "=", value: llm}
    - {name: severity, matchType: "=~", value: warning|info}
    - {name: release, matchType: "=~", value: .+}
  equal: [{{ include "alert-rules.apart" . }}]
- source:
    - {name: alertname, matchType: "=", value: LLMTargetDown}
  target:
    - {name: alertname, matchType: "=", value: LLMEngineStalled}
  equal: [{{ include "alert-rules.apart" . }}]
{{- end -}}

{{- /* alert-rules.file: the path of a mounted secret. Takes (dict "root" $ "ref" {name, key}). */ -}}
{{- define "alert-rules.file" -}}
{{- printf "%s/%s/%s" .root.Values.alertmanager.secretsPath .ref.name .ref.key -}}
{{- end -}}
