{{- /* alert-rules.robots: what the relay has to know of a receiver, one entry for each robot, as a YAML array. Takes (dict "root" $ "receiver" RECEIVER). */ -}}
{{- define "alert-rules.robots" -}}
{{- $language := .root.Values.rules.chinese | ternary "zh" "en" -}}
{{- $robots := list -}}
{{- range $kind := list "dingtalk" "wecomRobot" "feishu" "teams" -}}
{{- with get $.receiver $kind -}}
{{- $robot := dict "name" (printf "%s-%s" $.receiver.name (kebabcase $kind)) "kind" $kind -}}
{{- $robot = set $robot "url_file" (include "alert-rules.robotFile" .urlSecret) -}}
{{- $robot = set $robot "language" (.language | default $language) -}}
{{- with .signSecret -}}
{{- $robot = set $robot "secret_file" (include "alert-rules.robotFile" .) -}}
{{- end -}}
{{- with .keyword -}}
{{- $robot = set $robot "keyword" . -}}
{{- end -}}
{{- with .mention -}}
{{- $robot = set $robot "mention_users" (.users | default list) -}}
{{- $robot = set $robot "mention_all" (.all | default false) -}}
{{- $robot = set $robot "mention_severities" (.severities | default (list "critical")) -}}
{{- end -}}
{{- $robots = append $robots $robot -}}
{{- end -}}
{{- end -}}
{{- $robots | toYaml -}}
{{- end -}}

{{- define "alert-rules.robotFile" -}}
{{- printf "/secrets/%s/%s" .name .key -}}
{{- end -}}

{{- /* alert-rules.allRobots: those of all receivers; "[]" where there is no need of a relay. */ -}}
{{- define "alert-rules.allRobots" -}}
{{- $robots := list -}}
{{- range .Values.receivers -}}
{{- $robots = concat $robots (include "alert-rules.robots" (dict "root" $ "receiver" .) | fromYamlArray) -}}
{{- end -}}
{{- $robots | toYaml -}}
{{- end -}}

{{- /* alert-rules.webhooks: the URLs that Alertmanager posts a receiver's alerts to, as a YAML array: {url} or {urlSecret}. Takes what robots takes. */ -}}
{{- define "alert-rules.webhooks" -}}
{{- $webhooks := list -}}
{{- with .receiver.webhook -}}
{{- $webhooks = append $webhooks (pick . "url" "urlSecret") -}}
{{- end -}}
{{- $relay := .root.Values.relay -}}
{{- $namespace := .root.Release.Namespace -}}
{{- range include "alert-rules.robots" . | fromYamlArray -}}
{{- $webhooks = append $webhooks (dict "url" (printf "http://%s.%s.svc:%d/alertmanager/%s" $relay.name $namespace (int $relay.port) .name)) -}}
{{- end -}}
{{- $webhooks | toYaml -}}
{{- end -}}
