// Command k8s is one multi-call binary with every Kubernetes component, etcd and kubectl.
// The name it is called by (or its first argument) chooses. One binary instead of seven saves
// links and disk; the compile time is the same.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	kcm "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	name := filepath.Base(os.Args[0])
	if name == "k8s" && len(os.Args) > 1 {
		os.Args = os.Args[1:]
		name = os.Args[0]
	}
	if name == "etcd" {
		etcdmain.Main(os.Args)
		return
	}
	newCommand := constructor(name)
	if newCommand == nil {
		fmt.Fprintf(os.Stderr, "k8s: no component %q\n", name)
		os.Exit(2)
	}
	os.Exit(cli.Run(newCommand()))
}

// constructor is nil for an unknown name. Some constructors install a signal handler, which must
// happen once only, so main calls just the one it needs.
func constructor(name string) func() *cobra.Command {
	switch name {
	case "kube-apiserver":
		return apiserver.NewAPIServerCommand
	case "kube-controller-manager":
		return kcm.NewControllerManagerCommand
	case "kube-scheduler":
		return func() *cobra.Command { return scheduler.NewSchedulerCommand() }
	case "kube-proxy":
		return proxy.NewProxyCommand
	case "kubelet":
		return func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }
	case "kubectl":
		return func() *cobra.Command { return kubectl.NewDefaultKubectlCommand() }
	}
	return nil
}
