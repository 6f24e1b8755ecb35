// Command argo-cd is those components of Argo CD that turn a Git repository into objects of a cluster, in one
// program: the first argument names the component, the others are its own. The API server, its user interface and
// the command line client are left out: they only show what stands in the cluster.
//
//	argo-cd repo-server|application-controller|applicationset-controller [FLAG...]
package main

import (
	"log"
	"os"
	"sort"
	"strings"

	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	applicationset "github.com/argoproj/argo-cd/v3/cmd/argocd-applicationset-controller/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	"github.com/spf13/cobra"
)

var components = map[string]func() *cobra.Command{
	"application-controller":    controller.NewCommand,
	"applicationset-controller": applicationset.NewCommand,
	"repo-server":               reposerver.NewCommand,
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 || components[os.Args[1]] == nil {
		names := []string{}
		for name := range components {
			names = append(names, name)
		}
		sort.Strings(names)
		log.Fatalf("argo-cd: name a component first: %s", strings.Join(names, ", "))
	}
	command := components[os.Args[1]]()
	command.SetArgs(os.Args[2:])
	if command.Execute() != nil {
		os.Exit(1)
	}
}
