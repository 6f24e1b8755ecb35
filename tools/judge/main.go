// judge says what an API server of one Kubernetes version refuses, by that version's own code and without a cluster.
//
// One JSON object per line on standard input; one answer per line, {"taken", "known", "message"}: whether the object
// would be stored, whether its kind is judged here, and what is wrong. An object is decoded strictly, gets its defaults
// and goes through the strategy of its registry, as in a request to create it. What comes before and after is not here:
// authorization, admission, the allocation of addresses and ports, and custom resources.
//
// The folders judge-1.NN build this file against the version that their go.mod pins; nothing in it knows a version.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"reflect"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	jsonserializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/capabilities"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/validatingadmissionpolicy"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/validatingadmissionpolicybinding"
	"k8s.io/kubernetes/pkg/registry/apps/daemonset"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/apps/replicaset"
	"k8s.io/kubernetes/pkg/registry/apps/statefulset"
	"k8s.io/kubernetes/pkg/registry/autoscaling/horizontalpodautoscaler"
	"k8s.io/kubernetes/pkg/registry/batch/cronjob"
	"k8s.io/kubernetes/pkg/registry/batch/job"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/kubernetes/pkg/registry/core/limitrange"
	"k8s.io/kubernetes/pkg/registry/core/namespace"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolume"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolumeclaim"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/registry/core/resourcequota"
	"k8s.io/kubernetes/pkg/registry/core/secret"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/core/serviceaccount"
	"k8s.io/kubernetes/pkg/registry/networking/ingress"
	"k8s.io/kubernetes/pkg/registry/networking/ingressclass"
	"k8s.io/kubernetes/pkg/registry/networking/networkpolicy"
	"k8s.io/kubernetes/pkg/registry/policy/poddisruptionbudget"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrole"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrolebinding"
	"k8s.io/kubernetes/pkg/registry/rbac/role"
	"k8s.io/kubernetes/pkg/registry/rbac/rolebinding"
	"k8s.io/kubernetes/pkg/registry/resource/resourceclaim"
	"k8s.io/kubernetes/pkg/registry/resource/resourceclaimtemplate"
	"k8s.io/kubernetes/pkg/registry/scheduling/priorityclass"
	"k8s.io/kubernetes/pkg/registry/storage/storageclass"

	_ "k8s.io/kubernetes/pkg/apis/admissionregistration/install"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	_ "k8s.io/kubernetes/pkg/apis/resource/install"
	_ "k8s.io/kubernetes/pkg/apis/scheduling/install"
	_ "k8s.io/kubernetes/pkg/apis/storage/install"
)

type kind struct {
	resource string
	strategy rest.RESTCreateStrategy
}

var kinds = map[schema.GroupKind]kind{
	{Kind: "ConfigMap"}:             {"configmaps", configmap.Strategy},
	{Kind: "LimitRange"}:            {"limitranges", limitrange.Strategy},
	{Kind: "Namespace"}:             {"namespaces", namespace.Strategy},
	{Kind: "PersistentVolume"}:      {"persistentvolumes", persistentvolume.Strategy},
	{Kind: "PersistentVolumeClaim"}: {"persistentvolumeclaims", persistentvolumeclaim.Strategy},
	{Kind: "Pod"}:                   {"pods", pod.Strategy},
	{Kind: "ResourceQuota"}:         {"resourcequotas", resourcequota.Strategy},
	{Kind: "Secret"}:                {"secrets", secret.Strategy},
	{Kind: "Service"}:               {"services", service.Strategy},
	{Kind: "ServiceAccount"}:        {"serviceaccounts", serviceaccount.Strategy},

	{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicy"}: {
		"validatingadmissionpolicies", withoutHelpers(validatingadmissionpolicy.NewStrategy)},
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicyBinding"}: {
		"validatingadmissionpolicybindings", withoutHelpers(validatingadmissionpolicybinding.NewStrategy)},
	{Group: "apps", Kind: "DaemonSet"}:                               {"daemonsets", daemonset.Strategy},
	{Group: "apps", Kind: "Deployment"}:                              {"deployments", deployment.Strategy},
	{Group: "apps", Kind: "ReplicaSet"}:                              {"replicasets", replicaset.Strategy},
	{Group: "apps", Kind: "StatefulSet"}:                             {"statefulsets", statefulset.Strategy},
	{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"}:          {"horizontalpodautoscalers", horizontalpodautoscaler.Strategy},
	{Group: "batch", Kind: "CronJob"}:                                {"cronjobs", cronjob.Strategy},
	{Group: "batch", Kind: "Job"}:                                    {"jobs", job.Strategy},
	{Group: "networking.k8s.io", Kind: "Ingress"}:                    {"ingresses", ingress.Strategy},
	{Group: "networking.k8s.io", Kind: "IngressClass"}:               {"ingressclasses", ingressclass.Strategy},
	{Group: "networking.k8s.io", Kind: "NetworkPolicy"}:              {"networkpolicies", networkpolicy.Strategy},
	{Group: "policy", Kind: "PodDisruptionBudget"}:                   {"poddisruptionbudgets", poddisruptionbudget.Strategy},
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}:        {"clusterroles", clusterrole.Strategy},
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}: {"clusterrolebindings", clusterrolebinding.Strategy},
	{Group: "rbac.authorization.k8s.io", Kind: "Role"}:               {"roles", role.Strategy},
	{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"}:        {"rolebindings", rolebinding.Strategy},
	{Group: "resource.k8s.io", Kind: "ResourceClaim"}:                {"resourceclaims", withoutHelpers(resourceclaim.NewStrategy)},
	{Group: "resource.k8s.io", Kind: "ResourceClaimTemplate"}:        {"resourceclaimtemplates", withoutHelpers(resourceclaimtemplate.NewStrategy)},
	{Group: "scheduling.k8s.io", Kind: "PriorityClass"}:              {"priorityclasses", priorityclass.Strategy},
	{Group: "storage.k8s.io", Kind: "StorageClass"}:                  {"storageclasses", storageclass.Strategy},
}

// withoutHelpers makes a strategy that would ask an authorizer or other objects, and here has nobody to ask. Which
// helpers its constructor takes differs from version to version.
func withoutHelpers(constructor any) rest.RESTCreateStrategy {
	function := reflect.ValueOf(constructor)
	var arguments []reflect.Value
	for i := range function.Type().NumIn() {
		arguments = append(arguments, reflect.Zero(function.Type().In(i)))
	}
	return function.Call(arguments)[0].Interface().(rest.RESTCreateStrategy)
}

type answer struct {
	Taken   bool   `json:"taken"`
	Known   bool   `json:"known"`
	Message string `json:"message"`
}

var decoder = jsonserializer.NewSerializerWithOptions(
	jsonserializer.DefaultMetaFactory, legacyscheme.Scheme, legacyscheme.Scheme, jsonserializer.SerializerOptions{Strict: true})

func judge(line []byte) (said answer) {
	var typed metav1.TypeMeta
	if err := json.Unmarshal(line, &typed); err != nil {
		return answer{Known: true, Message: err.Error()}
	}
	version, err := schema.ParseGroupVersion(typed.APIVersion)
	if err != nil {
		return answer{Message: err.Error()}
	}
	group := version.WithKind(typed.Kind).GroupKind()
	known, found := kinds[group]
	if !found || !legacyscheme.Scheme.Recognizes(version.WithKind(typed.Kind)) {
		return answer{Message: "kind is not judged"}
	}
	defer func() {
		if crash := recover(); crash != nil {
			said = answer{Message: fmt.Sprintf("panic: %v", crash)}
		}
	}()
	if err := create(line, version, known); err != nil {
		return answer{Known: true, Message: err.Error()}
	}
	return answer{Taken: true, Known: true}
}

func create(line []byte, version schema.GroupVersion, known kind) error {
	internal := schema.GroupVersion{Group: version.Group, Version: runtime.APIVersionInternal}
	obj, _, err := legacyscheme.Codecs.DecoderToVersion(decoder, internal).Decode(line, nil, nil)
	if err != nil {
		return err
	}
	object, err := meta.Accessor(obj)
	if err != nil {
		return err
	}
	info := &request.RequestInfo{
		IsResourceRequest: true, Verb: "create",
		APIGroup: version.Group, APIVersion: version.Version, Resource: known.resource,
	}
	ctx := request.WithRequestInfo(request.WithNamespace(context.Background(), metav1.NamespaceNone), info)
	if known.strategy.NamespaceScoped() {
		ctx = request.WithNamespace(ctx, "judge")
		object.SetNamespace("judge")
	}
	if object.GetName() == "" && object.GetGenerateName() != "" {
		object.SetName(known.strategy.GenerateName(object.GetGenerateName()))
	}
	rest.FillObjectMetaSystemFields(object)
	if service, ok := obj.(*core.Service); ok {
		allocate(service)
	}
	// What admission does before any validation.
	if pod, ok := obj.(*core.Pod); ok && pod.Spec.ServiceAccountName == "" {
		pod.Spec.ServiceAccountName = "default"
	}
	// What admission does before any validation.
	if pod, ok := obj.(*core.Pod); ok && pod.Spec.ServiceAccountName == "" {
		pod.Spec.ServiceAccountName = "default"
	}
	// What admission does before any validation.
	if pod, ok := obj.(*core.Pod); ok && pod.Spec.ServiceAccountName == "" {
		pod.Spec.ServiceAccountName = "default"
	}
	// What admission does before any validation.
	if pod, ok := obj.(*core.Pod); ok && pod.Spec.ServiceAccountName == "" {
		pod.Spec.ServiceAccountName = "default"
	}
	return rest.BeforeCreate(known.strategy, ctx, obj)
}

// allocate gives a Service what the allocators give it before it is validated, in a cluster of one address family.
func allocate(service *core.Service) {
	if service.Spec.Type == core.ServiceTypeExternalName {
		return
	}
	if service.Spec.ClusterIP == "" && len(service.Spec.ClusterIPs) == 0 {
		service.Spec.ClusterIP = "198.18.0.1"
	}
	if len(service.Spec.ClusterIPs) == 0 {
		service.Spec.ClusterIPs = []string{service.Spec.ClusterIP}
	}
	if service.Spec.ClusterIP == "" {
		service.Spec.ClusterIP = service.Spec.ClusterIPs[0]
	}
	if service.Spec.IPFamilyPolicy == nil {
		single := core.IPFamilyPolicySingleStack
		service.Spec.IPFamilyPolicy = &single
	}
	if len(service.Spec.IPFamilies) == 0 {
		service.Spec.IPFamilies = []core.IPFamily{core.IPv4Protocol}
	}
}

func main() {
	// As API servers are started nearly everywhere; whether a pod may be privileged is for admission to say.
	capabilities.Setup(true, 0)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	answers := json.NewEncoder(out)
	for in.Scan() {
		if err := answers.Encode(judge(in.Bytes())); err != nil {
			log.Fatal(err)
		}
	}
	if err := in.Err(); err != nil {
		log.Fatal(err)
	}
}
