// Command cluster runs a real one-node Kubernetes with Knative Serving and Kourier on this
// machine, for development, the demo and the end-to-end tests. Everything (etcd ... pods) lives
// in namespaces of its own under one process: killing that process ends it all. It is called
// by cluster.sh; usage() below is its manual.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

const usageText = `usage: cluster.sh COMMAND

  up                      build what is missing, start the cluster, wait until Knative is ready
  build [gateway | PART]  only build (5-10 min the first time; resumable); the inference gateway too if asked;
                          or only a part, such as knative-e2e
  part NAME               build a part, make its images known to the running cluster, print where the build is;
                          knative-e2e: Knative's own end-to-end tests; kserve: KServe's controller
  gateway                 add the inference gateway to the running cluster: Gateway API with its inference
                          extension, Istio with a stock Envoy; status 75 when Envoy cannot be had
  down                    end the cluster and leave nothing behind
  status                  what runs, and how to use it
  env                     shell lines for eval: KUBECONFIG, IPA_INGRESS, IPA_NET_PROXY (a SOCKS5 proxy into
                          the cluster's network: a Gateway's address, a pod's metrics)
  kubeconfig              path of the kubeconfig
  kubectl ARGS...         kubectl against the cluster
  load-image NAME=FILE    make an image known to the node: FILE is an OCI or docker archive, or a
                          static binary that becomes an image
  exec-net CMD...         run CMD in the cluster's network: pod and Service IPs and names resolve
  binary NAME             path of a built program, such as llm-d-inference-sim
  root                    path of the cache

IPA_CACHE (default ~/.cache/ipa-cluster) holds what is built and what runs.
IPA_CLUSTER=existing uses your own cluster: set KUBECONFIG and IPA_INGRESS (host:port of its
ingress); env, kubectl and status honour it.
IPA_INGRESS_KIND=kingress takes the small test-only ingress instead of Kourier.
`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usageText)
		os.Exit(2)
	}
	// runc, iptables and others stand where an ordinary user's PATH does not look.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	err := run(os.Args[1], os.Args[2:])
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, new(cannot)):
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(75)
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode())
	default:
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(command string, args []string) error {
	p, err := newPaths()
	if err != nil {
		return err
	}
	switch command {
	case "up":
		return up(p)
	case "build":
		return buildOnly(p, args)
	case "gateway":
		return installGateway(p)
	case "part":
		return addPart(p, args)
	case "down":
		return down(p)
	case "status":
		return status(p)
	case "env":
		return printEnv(p)
	case "kubeconfig":
		return printKubeconfig(p)
	case "kubectl":
		return kubectl(p, args)
	case "load-image":
		return loadImages(p, args)
	case "exec-net":
		return execNet(p, args)
	case "binary":
		return printBinary(p, args)
	case "root":
		fmt.Println(p.cache)
		return nil
	case "import": // a short-lived process of "up"
		return importStore(args[0])
	case "keeper", "pid1", "node": // the three processes of a running cluster, in this order
		return inside(command, p)
	}
	return fmt.Errorf("no command %q\n%s", command, strings.TrimSpace(usageText))
}
