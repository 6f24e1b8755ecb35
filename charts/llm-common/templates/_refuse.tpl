{{- /*
llm-common.refuse (list $ KEY SENTENCE ADVICE): ends the render with `KEY SENTENCE: ADVICE`. The same chart stands alone and in an
umbrella, where its keys stand under its name: KEY, and what stands in `backticks` in the others, a key or YAML to write, is
named as the reader has to write it. KEY may be empty; keys under `global` stay as they are.
*/ -}}
{{- define "llm-common.refuse" -}}
{{- $chart := (index . 0).Chart -}}
{{- $key := index . 1 -}}
{{- if and $key (not (hasPrefix "global." $key)) -}}
{{- $key = printf "`%s`" $key -}}
{{- end -}}
{{- $message := trim (printf "%s %s" $key (index . 2)) -}}
{{- with index . 3 -}}
{{- $message = printf "%s: %s" $message . -}}
{{- end -}}
{{- $alone := $chart.IsRoot -}}
{{- $message = regexReplaceAll "`([^`:]+)`" $message ($alone | ternary "${1}" (printf "%s.${1}" $chart.Name)) -}}
{{- fail (regexReplaceAll "`([^`]+)`" $message ($alone | ternary "${1}" (printf "%s: {${1}}" $chart.Name))) -}}
{{- end -}}
