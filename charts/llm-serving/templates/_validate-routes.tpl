{{- /* llm-serving.validateRoutes: refusals that are about routes. */ -}}
{{- define "llm-serving.validateRoutes" -}}
{{- $v := .Values -}}
{{- $type := eq $v.workload "Rollout" | ternary ($v.strategy.type | default "canary") "" -}}

{{- if and (eq $v.trafficRouter "gatewayAPI") (not $v.route.gateway.name) -}}
{{- include "llm-common.refuse" (list $ "trafficRouter" "is gatewayAPI, but no Gateway is named" "write `route: {gateway: {name: NAME, namespace: NAMESPACE}}`") -}}
{{- end -}}
{{- if and (eq $v.trafficRouter "istio") (not $v.route.istio.gateways) -}}
{{- include "llm-common.refuse" (list $ "trafficRouter" "is istio, but no gateway is named" "write `route: {istio: {gateways: [NAMESPACE/NAME]}}`") -}}
{{- end -}}

{{- if $v.route.ingress.className -}}
{{- if ne $v.trafficRouter "none" -}}
{{- include "llm-common.refuse" (list $ "route.ingress" (printf "and `trafficRouter` %s exclude each other, since the Ingress would send every request past the router" $v.trafficRouter) "write `trafficRouter: none`, or remove route.ingress") -}}
{{- end -}}
{{- if not (include "llm-serving.context" . | get .Values).facts.host -}}
{{- include "llm-common.refuse" (list $ "route.ingress" "is set, but the route has no host" "write `route: {host: llm.example.com}` or global: {llm: {environment: {domain: example.com}}}") -}}
{{- end -}}
{{- if $v.engine.tls.secret -}}
{{- include "llm-common.refuse" (list $ "engine.tls" "and `route.ingress` exclude each other, since the Ingress would speak plain HTTP to the pods" "end TLS at the Ingress and remove engine.tls") -}}
{{- end -}}
{{- end -}}

{{- if and (has $type (list "ab" "shadow")) (eq $v.trafficRouter "none") -}}
{{- include "llm-common.refuse" (list $ "strategy.type" (printf "is %s, which takes a router that sees each request" $type) "write `trafficRouter: traefik`, or gatewayAPI or istio") -}}
{{- end -}}
{{- if eq $type "ab" -}}
{{- $header := ($v.strategy.ab).header | default dict -}}
{{- $cookie := ($v.strategy.ab).cookie | default dict -}}
{{- if and $header.name $cookie.name -}}
{{- include "llm-common.refuse" (list $ "strategy.ab" "names both a header and a cookie" "one of them marks the requests, write `strategy: {ab: {cookie: {name: \"\"}}}` to keep the header") -}}
{{- end -}}
{{- if not (or $header.name $cookie.name) -}}
{{- include "llm-common.refuse" (list $ "strategy.type" "is ab, but nothing says which requests get the new version" "write `strategy: {ab: {header: {name: x-model-version, value: next}}}` or cookie for header") -}}
{{- end -}}
{{- range $what, $mark := dict "header" $header "cookie" $cookie -}}
{{- if and $mark.name (not $mark.value) -}}
{{- include "llm-common.refuse" (list $ (printf "strategy.ab.%s.value" $what) (printf "is empty, so %s %s would mark nobody" $what $mark.name) (printf "write `strategy: {ab: {%s: {value: next}}}`" $what)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
