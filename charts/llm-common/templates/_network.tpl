{{- /* llm-common.dnsRule: the egress rule that every pod with names to resolve needs; takes (dict "llm" $llm). */ -}}
{{- define "llm-common.dnsRule" -}}
{{- $dns := .llm.environment.dns -}}
- ports:
    {{- range $dns.ports }}
    - {port: {{ int . }}, protocol: UDP}
    - {port: {{ int . }}, protocol: TCP}
    {{- end }}
  to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ $dns.namespace | quote }}
      {{- with $dns.podLabel }}
      podSelector:
        matchLabels:
          {{ regexReplaceAll "=.*" . "" }}: {{ regexFind "=.*" . | trimPrefix "=" | quote }}
      {{- end }}
    {{- range $dns.cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
{{- end -}}

{{- /* llm-common.host: the host of a URL, in lower case. */ -}}
{{- define "llm-common.host" -}}
{{- regexReplaceAll "^[a-z]+://" (lower .) "" | regexFind "^[^:/]+" -}}
{{- end -}}

{{- /* llm-common.clusterHost: the host of a URL where it is that of a Service, NAME or NAME.NAMESPACE; else "localhost". */ -}}
{{- define "llm-common.clusterHost" -}}
{{- $host := include "llm-common.host" . -}}
{{- regexMatch "^[^.]+([.][^.]+)?$" $host | ternary $host "localhost" -}}
{{- end -}}

{{- /* llm-common.port: the port of a URL, its scheme's own where it names none. */ -}}
{{- define "llm-common.port" -}}
{{- regexFind ":[0-9]+" (regexReplaceAll "^[a-z]+:" . "") | trimPrefix ":" | default (hasPrefix "https:" . | ternary "443" "80") -}}
{{- end -}}

{{- /*
llm-common.peers (dict "llm" $llm "url" URL): where the host of a URL may be, as a YAML list of NetworkPolicyPeers. An address is itself. NAME
is a Service of the own namespace, NAME.NAMESPACE and NAME.NAMESPACE.svc one of another. Everything else lies at a public address,
or where environment.privateCidrs says: not in the cluster, not at its API server, not at a cloud's metadata service.
*/ -}}
{{- define "llm-common.peers" -}}
{{- $host := include "llm-common.host" .url -}}
{{- $labels := splitList "." $host -}}
{{- $service := regexMatch "^[^.]+\\.[^.]+\\.svc(\\.|$)" $host -}}
{{- if regexMatch "^[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+$" $host -}}
- ipBlock: {cidr: {{ $host }}/32}
{{- else if eq (len $labels) 1 -}}
- podSelector: {}
{{- else -}}
{{- if or $service (eq (len $labels) 2) -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ index $labels 1 | quote }}
{{- end }}
{{- if not $service }}
- ipBlock:
    cidr: 0.0.0.0/0
    {{- /* Not private, shared, link-local, loopback and test ranges. */}}
    except: [10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16, 198.18.0.0/15]
- ipBlock: {cidr: "::/0", except: ["fc00::/7", "fe80::/10"]}
{{- range .llm.environment.privateCidrs }}
- ipBlock: {cidr: {{ . | quote }}}
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}

{{- /* llm-common.egressRule (dict "llm" $llm "url" URL): one egress rule, to the host and port of a URL. */ -}}
{{- define "llm-common.egressRule" -}}
- ports:
    - {port: {{ include "llm-common.port" .url }}, protocol: TCP}
  to:
    {{- include "llm-common.peers" . | trim | nindent 4 }}
{{- end -}}

{{- /*
llm-common.prometheusPeers (dict "llm" $llm): where the Prometheus of the environment may be, as a YAML list of NetworkPolicyPeers: in the
monitoring namespace where its URL does not say otherwise.
*/ -}}
{{- define "llm-common.prometheusPeers" -}}
{{- $monitoring := .llm.environment.monitoring -}}
{{- $labels := splitList "." (include "llm-common.host" $monitoring.prometheusUrl) -}}
{{- $service := or (le (len $labels) 2) (eq (index (concat $labels (list "" "")) 2) "svc") -}}
{{- $own := eq (index (append $labels $monitoring.namespace) 1) $monitoring.namespace -}}
{{- if or $own (not $service) -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ $monitoring.namespace | quote }}
{{- end -}}
{{- if not (and $own $service) -}}
{{- include "llm-common.peers" (dict "llm" .llm "url" $monitoring.prometheusUrl) | nindent 0 -}}
{{- end -}}
{{- end -}}

{{- /* llm-common.prometheusAddress (list $ $llm): refuses a URL with a path that whoever asks Prometheus adds. */ -}}
{{- define "llm-common.prometheusAddress" -}}
{{- $url := (index . 1).environment.monitoring.prometheusUrl -}}
{{- with regexFind "/(api(/v1(/.*)?)?|graph|query)/?$" $url -}}
{{- include "llm-common.refuse" (list (index $ 0) "global.llm.environment.monitoring.prometheusUrl" (printf "ends in %s, which whoever asks Prometheus adds" .) (printf "write global: {llm: {environment: {monitoring: {prometheusUrl: %q}}}}" (trimSuffix . $url))) -}}
{{- end -}}
{{- end -}}
