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
{{- $question := printf `llm_gate_result{kind="%s", namespace="%s", release="%s", canary="{{args.canary-hash}}", policy='%s'}` .kind .root.Release.Namespace .root.Release.Name (toJson .policy) -}}
{{- include "llm-serving.gateQuestion" (dict "url" .url "question" $question) -}}
{{- end -}}

{{- /* llm-serving.gateQuestion (dict "url" URL "question" QUESTION): the provider that asks the gate. It is that of Prometheus, whose
query API the gate speaks: the web provider counts every 200 without JSON as a success, so a login page would promote. */ -}}
{{- define "llm-serving.gateQuestion" -}}
prometheus:
  address: {{ .url | quote }}
  timeout: 10
  headers:
    - {key: Authorization, value: "Bearer {{ `{{args.gate-token}}` }}"}
  query: {{ .question | quote }}
{{- end -}}

{{- /* llm-serving.gateConditions: 1 is pass, -1 fail; all else, as no answer, is neither. */ -}}
{{- define "llm-serving.gateConditions" -}}
successCondition: len(result) == 1 && result[0] == 1
failureCondition: len(result) == 1 && result[0] == -1
{{- end -}}

{{- /* llm-serving.gateToken: the argument by which the gate knows the controller. The gate itself makes the Secret in every namespace with
a Rollout of ours: a rendered one would change at every sync. */ -}}
{{- define "llm-serving.gateToken" -}}
- name: gate-token
  valueFrom:
    secretKeyRef: {name: llm-canary-gate, key: token}
{{- end -}}

{{- /* llm-serving.gateTokenVolume, .gateTokenMount, .gateTokenFile: the token by which the gate knows a Job, and of which namespace it is. */ -}}
{{- define "llm-serving.gateTokenVolume" -}}
- name: gate-token
  projected:
    sources:
      - serviceAccountToken: {path: token, audience: llm-canary-gate, expirationSeconds: 600}
{{- end -}}

{{- define "llm-serving.gateTokenMount" -}}
- {name: gate-token, mountPath: /var/run/secrets/llm-canary-gate, readOnly: true}
{{- end -}}

{{- define "llm-serving.gateTokenFile" -}}
- name: GATE_TOKEN_FILE
  value: /var/run/secrets/llm-canary-gate/token
{{- end -}}

{{- /* llm-serving.gateUrl: takes the shared facts; empty where no gate is named. */ -}}
{{- define "llm-serving.gateUrl" -}}
{{- (.environment.gate | default dict).url | default "" | trimSuffix "/" -}}
{{- end -}}
