{{- /*
llm-serving.gateJobs: what the gates that ask the new version share, before or beside its users: `smoke` and `quality`. As YAML: `services`
(stable, canary), `addressed` (the canary has a Service of its own), `url` of the gate or "", `gate` as smokePod takes it, `intervalSeconds`
between two questions.
Each gate is a Job, and a question to the gate what the Job found. The question is what decides: with Argo Rollouts 1.9 a Job whose image
never starts can read as a success, and a Job cannot say inconclusive. A gate that is away holds the rollout (errors count to no limit),
blue-green until its deadline; a Job that never reports ends as inconclusive, so that a person looks.
*/ -}}
{{- define "llm-serving.gateJobs" -}}
{{- $services := (include "llm-common.once" (list . "llm-serving.routing") | get .Values).services -}}
{{- $url := include "llm-serving.gateUrl" (include "llm-common.once" (list . "llm-common.llm") | get .Values) -}}
services: {{ $services | toJson }}
addressed: {{ gt (len $services) 1 }}
url: {{ $url | quote }}
gate: {{ empty $url | ternary dict (dict "url" $url "canary" "{{args.canary-hash}}") | toJson }}
intervalSeconds: 10
{{- end -}}

{{- /* llm-serving.gateAnswer (dict "root" $ "kind" KIND "url" URL "policy" (dict …)): the provider that asks the gate what came
of a Job. */ -}}
{{- define "llm-serving.gateAnswer" -}}
web:
  method: POST
  url: {{ printf "%s/v1/results/verdict" .url | quote }}
  timeoutSeconds: 10
  jsonPath: "{$}"
  jsonBody:
    kind: {{ .kind }}
    namespace: {{ .root.Release.Namespace | quote }}
    release: {{ .root.Release.Name | quote }}
    canary: {{ "{{args.canary-hash}}" | quote }}
    policy:
      {{- toYaml .policy | nindent 6 }}
{{- end -}}

{{- /* llm-serving.gateUrl: takes the shared facts; empty where no gate is named. */ -}}
{{- define "llm-serving.gateUrl" -}}
{{- (.environment.gate | default dict).url | default "" | trimSuffix "/" -}}
{{- end -}}
