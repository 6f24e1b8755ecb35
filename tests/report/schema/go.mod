// The official schema of SARIF 2.1.0, in a module that publishes it. Nothing here is built; go.sum pins the file.
module llm-charts/tests/report/schema

go 1.24

require github.com/securego/gosec/v2 v2.30.0
