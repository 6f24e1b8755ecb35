{{- /*
llm-common.llm: the shared facts with their defaults, as YAML. Use: include "llm-common.llm" . | fromYaml
mergeOverwrite, since merge would lose a user's false, 0 and "".
*/ -}}
{{- define "llm-common.llm" -}}
{{- $defaults := include "llm-common.defaults" . | fromYaml -}}
{{- $given := (.Values.global | default dict).llm | default dict -}}
{{- mergeOverwrite $defaults (deepCopy $given) | toYaml -}}
{{- end -}}
