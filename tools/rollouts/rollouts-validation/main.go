// rollouts-validation judges Rollouts and AnalysisTemplates as the controller judges them before it acts.
//
// It reads one JSON object per line on standard input and answers one line each: {"errors": [...]}, empty when
// the controller would take the object. Nothing in a cluster says this at admission.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/validation"
	"github.com/argoproj/argo-rollouts/utils/analysis"
)

func judge(line []byte) (errors []string) {
	defer func() {
		if crash := recover(); crash != nil {
			errors = append(errors, fmt.Sprintf("panic: %v", crash))
		}
	}()
	var typed struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(line, &typed); err != nil {
		return []string{err.Error()}
	}
	if typed.Kind == "Rollout" {
		var rollout v1alpha1.Rollout
		if err := json.Unmarshal(line, &rollout); err != nil {
			return []string{"decode: " + err.Error()}
		}
		for _, err := range validation.ValidateRollout(&rollout) {
			errors = append(errors, err.Error())
		}
		return errors
	}
	var template v1alpha1.AnalysisTemplate
	if err := json.Unmarshal(line, &template); err != nil {
		return []string{"decode: " + err.Error()}
	}
	// A template that only lists others has no metrics of its own.
	if len(template.Spec.Metrics) == 0 && len(template.Spec.Templates) > 0 {
		return nil
	}
	if err := analysis.ValidateMetrics(template.Spec.Metrics); err != nil {
		errors = append(errors, err.Error())
	}
	return errors
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		errors := judge(lines.Bytes())
		if errors == nil {
			errors = []string{}
		}
		if err := answers.Encode(map[string][]string{"errors": errors}); err != nil {
			os.Exit(1)
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
