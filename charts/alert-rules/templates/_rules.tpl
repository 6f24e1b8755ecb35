{{- /* alert-rules.group: the enabled alerts of one file as a rule group, or nothing. Takes (dict "root" $ "file" "slo").
The files are plain Prometheus, apart from ${key} for a value of the alert, so that nothing in them has to be escaped for Helm. */ -}}
{{- define "alert-rules.group" -}}
{{- $root := .root -}}
{{- $rules := list -}}
{{- range .root.Files.Get (printf "files/%s.yaml" .file) | fromYamlArray -}}
{{- $set := get $root.Values.alerts .alert -}}
{{- $name := lower .alert -}}
{{- if $set.enabled -}}
{{- $expr := .expr | replace "${minRequestsPerSecond}" (toString $root.Values.rules.minRequestsPerSecond) -}}
{{- range $key, $value := $set -}}
{{- $expr = $expr | replace (printf "${%s}" $key) (toString $value) -}}
{{- end -}}
{{- $annotations := dict "summary" .summary "description" .description -}}
{{- if $root.Values.rules.chinese -}}
{{- $annotations = merge $annotations (dict "summary_zh" .summary_zh "description_zh" .description_zh) -}}
{{- end -}}
{{- $runbooks := $root.Values.rules.runbooks -}}
{{- with $runbooks.baseUrl -}}
{{- $annotations = set $annotations "runbook_url" (printf "%s/%s%s" (trimSuffix "/" .) $name $runbooks.suffix) -}}
{{- end -}}
{{- $labels := merge (dict "severity" $set.severity "service" "llm") $root.Values.rules.alertLabels -}}
{{- $rule := dict "alert" .alert "expr" $expr "for" $set.for "labels" $labels "annotations" $annotations -}}
{{- with $set.keepFiringFor -}}
{{- $rule = set $rule "keep_firing_for" . -}}
{{- end -}}
{{- $rules = append $rules $rule -}}
{{- end -}}
{{- end -}}
{{- if $rules -}}
{{- list (dict "name" (printf "llm-%s" .file) "interval" $root.Values.rules.interval "rules" $rules) | toYaml -}}
{{- end -}}
{{- end -}}
