{{- /*
llm-common.proxyRule (dict "llm" $llm "url" URL): the egress rule to the proxy. A proxy is the one host that usually has a private address that
nobody writes down, so without environment.privateCidrs its port is open to every address but metadata services.
*/ -}}
{{- define "llm-common.proxyRule" -}}
{{- $peers := include "llm-common.peers" . -}}
{{- if and (contains "0.0.0.0/0" $peers) (not .llm.environment.privateCidrs) -}}
- ports:
    - {port: {{ include "llm-common.port" .url }}, protocol: TCP}
  to:
    - ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16, 100.100.100.200/32]}
    - ipBlock: {cidr: "::/0", except: ["fe80::/10", "fd00:ec2::/32"]}
    {{- if regexMatch "^[^.]+\\.[^.]+$" (include "llm-common.host" .url) }}
    {{- $peers | trim | fromYamlArray | first | list | toYaml | nindent 4 }}
    {{- end }}
{{- else -}}
{{ include "llm-common.egressRule" . }}
{{- end -}}
{{- end -}}

{{- /*
llm-common.direct (dict "url" URL "noProxy" (list …)): "yes" for a host that is asked directly although there is a proxy: a Service by a name
that only Services have, or one that noProxy names.
*/ -}}
{{- define "llm-common.direct" -}}
{{- $host := include "llm-common.host" .url -}}
{{- $direct := regexMatch "^[^.]+$|[.]svc$|[.]svc[.]|[.]cluster[.]local$" $host -}}
{{- range .noProxy -}}
{{- $suffix := trimPrefix "*" . | trimPrefix "." -}}
{{- if and $suffix (or (eq $host $suffix) (hasSuffix (printf ".%s" $suffix) $host)) -}}
{{- $direct = true -}}
{{- end -}}
{{- end -}}
{{- $direct | ternary "yes" "" -}}
{{- end -}}

{{- /* llm-common.proxyNames: the environment variables that programs read a proxy from; some read the small ones only. */ -}}
{{- define "llm-common.proxyNames" -}}
[HTTP_PROXY, HTTPS_PROXY, NO_PROXY, http_proxy, https_proxy, no_proxy]
{{- end -}}

{{- /*
llm-common.proxyVariables (dict "llm" $llm "direct" (list HOST…) "given" (list NAME…)): environment variables as a YAML list, empty without a
proxy. `direct` are hosts in the cluster whose names have no dot; `given` are variables that the user sets himself.
*/ -}}
{{- define "llm-common.proxyVariables" -}}
{{- $proxy := .llm.environment.proxy -}}
{{- $given := .given | default list -}}
{{- if $proxy.url -}}
{{- /* The API server is asked by its address, which only the kubelet knows. */ -}}
{{- $direct := concat (list "localhost" "127.0.0.1" "$(KUBERNETES_SERVICE_HOST)" ".svc" ".cluster.local") (.direct | default list) $proxy.noProxy | uniq | join "," -}}
{{- range $name := include "llm-common.proxyNames" . | fromYamlArray -}}
{{- if not (has $name $given) }}
- name: {{ $name }}
  value: {{ hasPrefix "no" (lower $name) | ternary $direct $proxy.url | quote }}
{{- end }}
{{- end -}}
{{- end -}}
{{- end -}}
