// Command benchscale measures one replica of the program at the size that we
// promise. It runs the real autoscaler-adapter as a process of its own against a
// real etcd and kube-apiserver, whose pods no kubelet runs: a server in this
// process answers at every pod's address as vLLM and Knative's queue-proxy do.
//
// The process of the adapter has a network namespace of its own, so that its
// bytes are counted at one interface and no port of the machine is needed. Root
// is required.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	pods, revisions, perNamespace int
	duration, warmup              time.Duration
	probes, lists                 int
	metric                        string
	memory, gogc                  string
	adapter, k8s, out, args       string
	profile, relist               bool
	nice                          int
	buckets                       int
}

const help = `Usage: benchscale [flags]     (make bench-scale ARGS="-pods 1000 -revisions 100")

Starts etcd and kube-apiserver (from the cache of hack/cluster), creates the
objects of the revisions, plays every pod's engine and queue-proxy, runs one
replica of autoscaler-adapter (--parts=autoscaler) and measures. Half of the leases
are held by a stand-in for the other replica, which reads and decides nothing:

  start      time to Ready, until every target is read, peak requests
  steady     CPU, memory, goroutines, bytes, readings and their intervals, those
             of the pods that the replica leads and of the others apart
  decisions  time from a change at the pods to the patched Deployment
  api        latency of lists and of discovery of custom.metrics.k8s.io
  relist     kube-apiserver restarted: requests, CPU and readings meanwhile
  restart    the adapter restarted: as start

The report is written to DIR/PODS.json and DIR/PODS.md.

Flags:
`

func main() {
	if len(os.Args) > 1 && os.Args[1] == adapterRole {
		exitOn(runAdapter(os.Args[2:]))
		return
	}
	if len(os.Args) > 1 && os.Args[1] == listsRole {
		exitOn(runLists())
		return
	}
	o := parseFlags()
	if os.Getenv(inNamespace) == "" {
		os.Exit(reexec())
	}
	exitOn(allowFiles(o.pods))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exitOn(run(ctx, o))
}

// allowFiles makes room for two connections to each pod, in the adapter and in this
// process, which plays the pods. Only CAP_SYS_RESOURCE may raise a hard limit.
func allowFiles(pods int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	n := uint64(2*pods + 150)
	if limit.Max >= n {
		return nil // the runtime of Go raised the soft limit already
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
		return fmt.Errorf("%d pods need %d open files and %d are allowed (ulimit -Hn): %w", pods, n, limit.Max, err)
	}
	return nil
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchscale:", err)
		os.Exit(1)
	}
}

func parseFlags() (o options) {
	flag.IntVar(&o.pods, "pods", 1000, "pods")
	flag.IntVar(&o.revisions, "revisions", 0, "revisions that share the pods evenly; 0 is one for ten pods")
	flag.IntVar(&o.perNamespace, "pods-per-namespace", 100, "pods of one namespace, which is what one list of the metrics API returns")
	flag.DurationVar(&o.duration, "duration", time.Minute, "length of the steady measurement")
	flag.DurationVar(&o.warmup, "warmup", 20*time.Second, "time after every target is read until the steady measurement begins")
	flag.IntVar(&o.probes, "probes", 30, "changes whose decision is timed")
	flag.IntVar(&o.lists, "lists", 500, "lists a second of the metrics API; 0 leaves the API alone")
	flag.StringVar(&o.metric, "metric", "slo", "metric of the revisions; one in twenty has num_requests_running=50, to time decisions")
	flag.StringVar(&o.memory, "gomemlimit", "420MiB", "GOMEMLIMIT of the adapter; the default is that of config/400-deployment.yaml")
	flag.StringVar(&o.gogc, "gogc", "300", "GOGC of the adapter; the same")
	flag.StringVar(&o.adapter, "adapter", "_output/bin/autoscaler-adapter", "binary that is measured")
	flag.StringVar(&o.args, "adapter-args", "", "further arguments of the adapter, separated by spaces")
	flag.StringVar(&o.k8s, "k8s", "", "binary of etcd and kube-apiserver (default: the newest that make cluster-build made)")
	flag.StringVar(&o.out, "out", "_output/bench-scale", "folder of the report")
	flag.BoolVar(&o.profile, "profile", false, "run the program's server within this binary instead, and write CPU and heap profiles")
	flag.BoolVar(&o.relist, "relist", true, "restart kube-apiserver and measure meanwhile")
	flag.IntVar(&o.buckets, "buckets", 10, "leases that revisions are spread over; a stand-in for the other replica holds half of them. 0: the adapter leads all")
	flag.IntVar(&o.nice, "nice", 0, "nice value of the adapter: negative on a shared machine, so that others do not take its cores")
	flag.Usage = func() { fmt.Fprint(flag.CommandLine.Output(), help); flag.PrintDefaults() }
	flag.Parse()
	if o.revisions == 0 {
		o.revisions = max(o.pods/10, 1)
	}
	if err := o.validate(); err != nil {
		fmt.Fprintln(os.Stderr, "benchscale:", err)
		os.Exit(2)
	}
	return o
}

func (o options) validate() error {
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	case o.pods < 1 || o.pods > maxPods:
		return fmt.Errorf("-pods is %d; it must be 1 to %d, the addresses of %s", o.pods, maxPods, podNetwork)
	case o.revisions > o.pods:
		return fmt.Errorf("-revisions is %d, more than the %d pods", o.revisions, o.pods)
	case o.buckets < 0 || o.buckets > 10 || o.buckets == 1:
		return errors.New("-buckets must be 0 or 2 to 10")
	case o.perNamespace < 1:
		return errors.New("-pods-per-namespace must be at least 1")
	case os.Geteuid() != 0:
		return errors.New("root is required: for network namespaces")
	}
	return nil
}

// inNamespace is set in the process that has a network namespace of its own.
const inNamespace = "BENCHSCALE_IN_NAMESPACE"

// reexec runs this program again in a new network namespace.
func reexec() int {
	self, err := os.Executable()
	exitOn(err)
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	signal.Ignore(os.Interrupt) // the child ends in order
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "benchscale:", err)
		return 1
	}
	return 0
}

// newestK8s is the newest binary that hack/cluster built.
func newestK8s() (string, error) {
	cache := os.Getenv("IPA_CACHE")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(home, ".cache", "ipa-cluster")
	}
	found, err := filepath.Glob(filepath.Join(cache, "build", "node-*", "bin", "k8s"))
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("no k8s binary in %s: run make cluster-build, or name one with -k8s", cache)
	}
	newest, when := "", time.Time{}
	for _, f := range found {
		if s, err := os.Stat(f); err == nil && s.ModTime().After(when) {
			newest, when = f, s.ModTime()
		}
	}
	return newest, nil
}
