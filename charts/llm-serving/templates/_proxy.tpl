{{- /*
llm-serving.proxy (dict "root" $ "llm" $llm): the proxy of the environment, as YAML: `url`, empty for none, and `noProxy`. What `engine.extraEnv`
says of one counts too, for the download as for the engine: `variables`, with their `names`.
*/ -}}
{{- define "llm-serving.proxy" -}}
{{- $known := include "llm-common.proxyNames" . | fromYamlArray -}}
{{- $url := .llm.environment.proxy.url -}}
{{- $noProxy := .llm.environment.proxy.noProxy -}}
{{- $variables := list -}}
{{- $names := list -}}
{{- range .root.Values.engine.extraEnv -}}
{{- if has .name $known -}}
{{- $variables = append $variables . -}}
{{- $names = append $names .name -}}
{{- if eq (lower .name) "no_proxy" -}}
{{- $noProxy = concat $noProxy (splitList "," (.value | default "")) -}}
{{- else if and .value (or (not $url) (eq (upper .name) "HTTPS_PROXY")) -}}
{{- $url = .value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "url" $url "noProxy" $noProxy "variables" $variables "names" $names | toYaml -}}
{{- end -}}

{{- /* llm-serving.proxyVariables (dict "root" $ "llm" $llm): for a container that asks hub or store, what `extraEnv` does not set. */ -}}
{{- define "llm-serving.proxyVariables" -}}
{{- $proxy := include "llm-serving.proxy" . | fromYaml -}}
{{- $direct := list -}}
{{- range list .llm.environment.hubEndpoint .root.Values.objectStore.endpoint -}}
{{- if and . (not (contains "." (include "llm-common.host" .))) -}}
{{- $direct = append $direct (include "llm-common.host" .) -}}
{{- end -}}
{{- end -}}
{{- include "llm-common.proxyVariables" (dict "llm" .llm "direct" $direct "given" $proxy.names) -}}
{{- end -}}
