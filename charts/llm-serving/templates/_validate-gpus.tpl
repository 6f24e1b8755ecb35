{{- /* llm-serving.validateGpus: refusals that are about kinds of GPUs. */ -}}
{{- define "llm-serving.validateGpus" -}}
{{- $context := include "llm-serving.context" . | get .Values -}}
{{- $llm := $context.llm -}}
{{- $facts := $context.facts -}}
{{- $v := .Values -}}
{{- $gpu := $llm.gpu -}}

{{- with $llm.gpu.product -}}
{{- $table := include "llm-common.once" (list $ "llm-serving.gpus") | get $.Values -}}
{{- $row := get $table . -}}
{{- if and (kindIs "slice" $row) $llm.gpu.resource (not (hasPrefix "nvidia.com/" $llm.gpu.resource)) -}}
{{- include "llm-common.refuse" (list $ "global.llm.gpu.product" (printf "%s is an NVIDIA GPU, but global.llm.gpu.resource is %s" . $llm.gpu.resource) "leave product empty and use `scheduling.nodeSelector`") -}}
{{- end -}}
{{- if and (kindIs "map" $row) $llm.gpu.resource (not (hasPrefix $row.resource $llm.gpu.resource)) -}}
{{- include "llm-common.refuse" (list $ "global.llm.gpu.resource" (printf "is %s, but GPUs of global.llm.gpu.product %s have one that begins with %s" $llm.gpu.resource . $row.resource) "write the resource of their device plugin, such as amd.com/gpu or huawei.com/Ascend910") -}}
{{- end -}}
{{- if not (or $row $llm.gpu.figures) -}}
{{- include "llm-common.refuse" (list $ "global.llm.gpu.product" (printf "%s is not in the GPU table" .) (printf "write one of %s, or describe it in global.llm.gpu.figures, or leave it empty and use `scheduling.nodeSelector`" ($table | keys | sortAlpha | join ", "))) -}}
{{- end -}}
{{- end -}}
{{- if not $gpu.resource -}}
{{- range list "product" "budget" "deviceClass" -}}
{{- if get $gpu . -}}
{{- include "llm-common.refuse" (list $ (printf "global.llm.gpu.%s" .) "is set, but global.llm.gpu.resource is empty, so that the engine runs on CPUs" (printf "write global: {llm: {gpu: {resource: nvidia.com/gpu}}}, or leave %s empty" .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $facts.partGpu -}}
{{- if $gpu.product -}}
{{- include "llm-common.refuse" (list $ "global.llm.gpu.product" (printf "%s is a whole GPU, and global.llm.gpu.resource %s is a part of one with its own label" $gpu.product $gpu.resource) "leave product empty and use `scheduling.nodeSelector`") -}}
{{- end -}}
{{- if $gpu.deviceClass -}}
{{- include "llm-common.refuse" (list $ "global.llm.gpu.deviceClass" (printf "claims whole devices, and global.llm.gpu.resource %s is a part of one" $gpu.resource) "write global: {llm: {gpu: {resource: nvidia.com/gpu}}} and a class of such parts") -}}
{{- end -}}
{{- end -}}
{{- if and $facts.claimTemplate (semverCompare "<1.34-0" .Capabilities.KubeVersion.Version) -}}
{{- include "llm-common.refuse" (list $ "global.llm.gpu.deviceClass" (printf "%s needs resource claims, which Kubernetes %s does not have as v1" $gpu.deviceClass .Capabilities.KubeVersion.Version) "use 1.34 or newer, or leave it empty") -}}
{{- end -}}
{{- end -}}
