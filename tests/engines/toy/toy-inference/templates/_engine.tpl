{{- define "toy-inference.engine" -}}
{{- $v := .root.Values -}}
{{- $table := include "llm-common.once" (list .root "toy-inference.table") | get $v -}}
devices: {{ int $v.engine.parallelism.tensor }}
prefillDevices: 0
nodes: 1
port: {{ int $table.port }}
image: {{ printf "%s:%s@%s" $v.image.repository $v.engine.version $v.image.digest | quote }}
initSeconds: 0
closeSeconds: 5
scheme: hf
remote: true
{{- end -}}
