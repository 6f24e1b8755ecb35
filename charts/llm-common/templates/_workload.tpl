{{- /*
llm-common.workloadName: name of the object that runs the pods, for charts with the value `workload`. It is the release's, but for a
LeaderWorkerSet: the headless Service that gives its pods their names must be called like the set, and RELEASE is the Service
that clients ask. Its scale counts groups of pods, each of which is one server.
*/ -}}
{{- define "llm-common.workloadName" -}}
{{- printf "%s%s" .Release.Name (eq .Values.workload "LeaderWorkerSet" | ternary "-nodes" "") -}}
{{- end -}}
