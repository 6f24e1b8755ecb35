{{- /*
vllm-inference.verify (as the pod): the container that checks the signature over the model's folder. It reads nothing from the network: key,
chain or trust configuration come from a ConfigMap. A file that was not signed fails it like one that was changed.
*/ -}}
{{- define "vllm-inference.verify" -}}
{{- $ctx := . -}}
{{- $facts := .context.facts -}}
{{- with .root -}}
{{- $signature := .Values.signature -}}
{{- $trusted := get (dict "key" "--public_key" "certificate" "--certificate_chain" "sigstore" "--trust_config") $signature.method -}}
- name: verify
  image: {{ $signature.image | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [model_signing]
  args:
    - verify
    - {{ $signature.method }}
    - {{ printf "--signature=%s/%s" $facts.modelArgument ($signature.file | default "model.sig") | quote }}
    - {{ printf "%s=/signer/%s" $trusted $signature.key | quote }}
    {{- if eq $signature.method "sigstore" }}
    - {{ printf "--identity=%s" $signature.identity | quote }}
    - {{ printf "--identity_provider=%s" $signature.identityProvider | quote }}
    {{- end }}
    {{- if $facts.downloaded }}
    {{- /* Written by the download itself. */}}
    - {{ printf "--ignore-paths=%s/.complete.json" $facts.modelArgument | quote }}
    - {{ printf "--ignore-paths=%s/.lock" $facts.modelArgument | quote }}
    {{- end }}
    - {{ $facts.modelArgument | quote }}
  resources:
    requests: {cpu: "1", memory: 512Mi, ephemeral-storage: 64Mi}
    limits: {memory: 2Gi, ephemeral-storage: 64Mi}
  securityContext:
    {{- include "llm-common.containerSecurity" (dict "readOnlyRootFilesystem" true) | nindent 4 }}
  volumeMounts:
    - {name: signer, mountPath: /signer, readOnly: true}
    {{- if $facts.downloaded }}
    {{- include "vllm-inference.homeMount" $ctx | trimSuffix "}" | nindent 4 }}, readOnly: true}
    {{- else }}
    - {name: model, mountPath: {{ $facts.modelFolder }}, readOnly: true}
    {{- end }}
{{- end -}}
{{- end -}}
