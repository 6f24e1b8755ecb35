{{- /*
llm-serving.validate: every refusal that is not about the engine, in one sentence that names the key, and the YAML to write instead. What a
single key may hold is said by values.schema.json; here stands what follows from several.
*/ -}}
{{- define "llm-serving.validate" -}}
{{- include "llm-serving.validateRelease" . -}}
{{- include "llm-serving.validateGpus" . -}}
{{- include "llm-serving.validateRoutes" . -}}
{{- include "llm-serving.validatePool" . -}}
{{- include "llm-serving.validateStrategy" . -}}
{{- include "llm-serving.validateQuality" . -}}
{{- end -}}

{{- /* llm-serving.validateRelease: refusals that are about names, servers, the GPU budget and the host. */ -}}
{{- define "llm-serving.validateRelease" -}}
{{- $context := include "llm-serving.context" . | get .Values -}}
{{- $llm := $context.llm -}}
{{- $facts := $context.facts -}}
{{- $v := .Values -}}

{{- if ne .Chart.Name (printf "%s-inference" $llm.engine) -}}
{{- $own := trimSuffix "-inference" .Chart.Name -}}
{{- include "llm-common.refuse" (list $ "global.llm.engine" (printf "is %s, but the chart %s serves by %s" $llm.engine .Chart.Name $own) (printf "write global: {llm: {engine: %s}}, or install %s-inference" $own $llm.engine)) -}}
{{- end -}}
{{- if not $llm.model.name -}}
{{- include "llm-common.refuse" (list $ "global.llm.model.name" "is empty" "say under which name the model is served, e.g. global: {llm: {model: {name: qwen3-8b}}}") -}}
{{- end -}}
{{- if not $llm.model.source -}}
{{- include "llm-common.refuse" (list $ "global.llm.model.source" "is empty" (printf "say where the weights of %s are, e.g. global: {llm: {model: {source: \"hf://Qwen/Qwen3-8B\"}}}" $llm.model.name)) -}}
{{- end -}}
{{- include "llm-common.prometheusAddress" (list $ $llm) -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" .Release.Name) -}}
{{- include "llm-common.refuse" (list $ "" (printf "the release name %s cannot be the name of a Service" .Release.Name) (printf "write it with a-z, 0-9 and '-', a letter first, e.g. %s" (printf "m-%s" (regexReplaceAll "[^a-z0-9]+" (lower .Release.Name) "-") | trimSuffix "-" | replace "m-m-" "m-"))) -}}
{{- end -}}
{{- range list "-canary" "-preview" "-shadow" "-ab" "-nodes" "-started" "-gate" "-smoke" "-quality" "-test" "-drift" "-download" "-jobs" -}}
{{- if hasSuffix . $.Release.Name -}}
{{- include "llm-common.refuse" (list $ "" (printf "the release name %s ends in %s, which names objects of the release %s" $.Release.Name . (trimSuffix . $.Release.Name)) "choose another name") -}}
{{- end -}}
{{- end -}}
{{- if and $facts.autoscaled (not (kindIs "invalid" $v.replicas)) -}}
{{- include "llm-common.refuse" (list $ "replicas" (printf "is %d, but an autoscaler owns the number of servers (global.llm.components.autoscaling)" (int $v.replicas)) (printf "remove replicas and write global: {llm: {replicas: {min: %d}}}" (max 1 (int $v.replicas)))) -}}
{{- end -}}
{{- if and $llm.replicas.max (lt (int $llm.replicas.max) (int $llm.replicas.min)) -}}
{{- include "llm-common.refuse" (list $ "global.llm.replicas.max" (printf "is %d, below min %d" (int $llm.replicas.max) (int $llm.replicas.min)) (printf "write global: {llm: {replicas: {max: %d}}} or more" (int $llm.replicas.min))) -}}
{{- end -}}
{{- if and $llm.gpu.budget (gt (int $facts.peakGpus) (int $llm.gpu.budget)) -}}
{{- include "llm-common.refuse" (list $ "global.llm.gpu.budget" (printf "is %d, but an update of %s takes %d GPUs at its peak (%d servers x %d GPUs, tensor %d x pipeline %d%s)" (int $llm.gpu.budget) .Release.Name (int $facts.peakGpus) (int $facts.peakReplicas) (int $facts.gpusPerReplica) (int $v.engine.parallelism.tensor) (int $v.engine.parallelism.pipeline) ($facts.split | ternary (printf ", and %d prefill servers x %d GPUs" (int $facts.prefillPeak) (int $facts.prefillGpus)) "")) (printf "fewer replicas, smaller parallelism, or global: {llm: {gpu: {budget: %d}}}" (int $facts.peakGpus))) -}}
{{- end -}}
{{- if and (ne $v.trafficRouter "none") (not $facts.host) -}}
{{- include "llm-common.refuse" (list $ "trafficRouter" (printf "is %s, but the route has no host" $v.trafficRouter) "write `route: {host: llm.example.com}` or global: {llm: {environment: {domain: example.com}}}") -}}
{{- end -}}
{{- end -}}
