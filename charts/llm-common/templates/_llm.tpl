{{- /*
llm-common.once (list $ "llm-common.llm"): the YAML that a define of the chart says, parsed once per render and kept under a key of
its .Values, which all templates of a chart share; says the key. Parsing costs more than all else. The schema refuses such a key
of a user. A define may also set the key itself, which spares both the writing and the parsing.
Use: include "llm-common.once" (list . "llm-common.llm") | get .Values
*/ -}}
{{- define "llm-common.once" -}}
{{- $name := index . 1 -}}
{{- $key := printf "_%s" $name -}}
{{- with index . 0 -}}
{{- if not (hasKey .Values $key) -}}
{{- $said := include $name . -}}
{{- if not (hasKey .Values $key) -}}
{{- $_ := set .Values $key (fromYaml $said) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $key -}}
{{- end -}}

{{- /*
llm-common.llm: the shared facts with their defaults. Read through llm-common.once.
mergeOverwrite, since merge would lose a user's false, 0 and "".
*/ -}}
{{- define "llm-common.llm" -}}
{{- $defaults := include "llm-common.defaults" . | fromYaml -}}
{{- $given := (.Values.global | default dict).llm | default dict -}}
{{- $_ := set .Values "_llm-common.llm" (mergeOverwrite $defaults (deepCopy $given)) -}}
{{- end -}}
