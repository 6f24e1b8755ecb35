{{- /* alert-rules.alertmanager: the text of alertmanager.yml. No secret stands in it, only paths of mounted ones. */ -}}
{{- define "alert-rules.alertmanager" -}}
{{- $message := .Files.Get "files/message.tmpl" -}}
route:
  receiver: none
  group_by: [alertname, {{ include "alert-rules.apart" . }}]
  group_wait: {{ .Values.alertmanager.groupWait }}
  group_interval: {{ .Values.alertmanager.groupInterval }}
  repeat_interval: {{ .Values.alertmanager.repeatInterval }}
  routes:
    {{- /* Other alerts of the cluster pass by. */}}
    - receiver: none
      matchers: ['service="llm"']
      routes:
        {{- range .Values.receivers }}
        - receiver: {{ .name | quote }}
          matchers: {{ include "alert-rules.matcherTexts" (include "alert-rules.matchers" . | fromYamlArray) }}
          continue: true
          {{- with .repeatInterval }}
          repeat_interval: {{ . }}
          {{- end }}
        {{- end }}
inhibit_rules:
  {{- range include "alert-rules.inhibitions" . | fromYamlArray }}
  - source_matchers: {{ include "alert-rules.matcherTexts" .source }}
    target_matchers: {{ include "alert-rules.matcherTexts" .target }}
    equal: {{ toJson .equal }}
  {{- end }}
receivers:
  - name: none
  {{- range .Values.receivers }}
  - name: {{ .name | quote }}
    {{- with .wecom }}
    wechat_configs:
      - send_resolved: true
        corp_id: {{ .corpId | quote }}
        agent_id: {{ .agentId | quote }}
        api_secret_file: {{ include "alert-rules.file" (dict "root" $ "ref" .secret) }}
        {{- with .apiUrl }}
        api_url: {{ . | quote }}
        {{- end }}
        {{- with .toUser }}
        to_user: {{ . | quote }}
        {{- end }}
        {{- with .toParty }}
        to_party: {{ . | quote }}
        {{- end }}
        {{- with .toTag }}
        to_tag: {{ . | quote }}
        {{- end }}
        message: {{ $message | quote }}
    {{- end }}
    {{- with include "alert-rules.webhooks" (dict "root" $ "receiver" .) | fromYamlArray }}
    webhook_configs:
      {{- range . }}
      - send_resolved: true
        {{- with .url }}
        url: {{ . | quote }}
        {{- end }}
        {{- with .urlSecret }}
        url_file: {{ include "alert-rules.file" (dict "root" $ "ref" .) }}
        {{- end }}
      {{- end }}
    {{- end }}
    {{- with .slack }}
    slack_configs:
      - send_resolved: true
        api_url_file: {{ include "alert-rules.file" (dict "root" $ "ref" .urlSecret) }}
        {{- with .channel }}
        channel: {{ . | quote }}
        {{- end }}
        text: {{ $message | quote }}
    {{- end }}
    {{- with .email }}
    email_configs:
      - send_resolved: true
        to: {{ .to | quote }}
        from: {{ .from | quote }}
        smarthost: {{ .smarthost | quote }}
        require_tls: true
        {{- with .username }}
        auth_username: {{ . | quote }}
        {{- end }}
        {{- with .passwordSecret }}
        auth_password_file: {{ include "alert-rules.file" (dict "root" $ "ref" .) }}
        {{- end }}
        {{- /* Without `html` a mail carries Alertmanager's own page as well. */}}
        html: ""
        text: {{ $message | quote }}
    {{- end }}
  {{- end }}
{{- end -}}

{{- /* alert-rules.matcherTexts: matchers as alertmanager.yml writes them, a JSON array of name="value". Takes an array of matchers. */ -}}
{{- define "alert-rules.matcherTexts" -}}
{{- $texts := list -}}
{{- range . -}}
{{- $texts = append $texts (printf "%s%s%q" .name .matchType .value) -}}
{{- end -}}
{{- toRawJson $texts -}}
{{- end -}}
