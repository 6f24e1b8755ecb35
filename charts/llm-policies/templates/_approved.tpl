{{- /* llm-policies.approvedCards: the policy over the list of cards. Only a change is judged: a digest that leaves the list while its servers run
refuses neither the controller that writes their Rollout nor a value changed beside it, and pods are not judged at all. */ -}}
{{- define "llm-policies.approvedCards" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: approved-cards
  annotations:
    llm-policies/why: >-
      A server runs a version that its gate let through. The list holds the cards that are approved, and those that run.
    llm-policies/fix: >-
      Promote an approved version by `llmops model promote`, and write the list anew by `llmops model approved`.
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - apiGroups: [argoproj.io]
        apiVersions: ["*"]
        operations: [CREATE, UPDATE]
        resources: [rollouts]
      - apiGroups: [apps]
        apiVersions: ["*"]
        operations: [CREATE, UPDATE]
        resources: [deployments]
  matchConditions:
    - name: a-server-of-ours
      expression: >-
        has(object.metadata.labels) && 'app.kubernetes.io/name' in object.metadata.labels
        && object.metadata.labels['app.kubernetes.io/name'] == 'vllm-inference'
    - name: that-names-a-card
      expression: >-
        has(object.metadata.annotations) && 'llm-stack/card-digest' in object.metadata.annotations
    - name: another-than-before
      expression: >-
        request.operation != 'UPDATE' || !has(oldObject.metadata.annotations)
        || !('llm-stack/card-digest' in oldObject.metadata.annotations)
        || oldObject.metadata.annotations['llm-stack/card-digest'] != object.metadata.annotations['llm-stack/card-digest']
  validations:
    - expression: object.metadata.annotations['llm-stack/card-digest'] in {{ .Values.approvedCards | toJson }}
      message: the server names a model card that is not on the list of approved ones
{{- end -}}
