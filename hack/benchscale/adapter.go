package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	_ "net/http/pprof" // for -profile
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/server"
)

// adapterRole is the first argument of the process that becomes the adapter.
const adapterRole = "as-adapter"

// adapter is the measured process.
type adapter struct {
	cmd    *exec.Cmd
	client *http.Client
	// started is when the program was started, in its finished network.
	started time.Time
}

// startAdapter runs the adapter in a network namespace of its own.
func startAdapter(ctx context.Context, o options, kubeconfig, log string) (*adapter, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	program := o.adapter
	if o.profile {
		program = ""
	}
	args := []string{"-n", strconv.Itoa(o.nice), self, adapterRole, program, "--kubeconfig=" + kubeconfig}
	args = append(args, "--parts=autoscaler", "--buckets="+strconv.Itoa(max(o.buckets, 1)))
	cmd := exec.CommandContext(ctx, "nice", append(args, strings.Fields(o.args)...)...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Env = append(os.Environ(), "GOMEMLIMIT="+o.memory, "GOGC="+o.gogc, "SYSTEM_NAMESPACE=knative-inference", "POD_NAME=bench-0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	wait, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := connect(cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill()
		return nil, err
	}
	_, err = fmt.Fprintln(wait)
	a := &adapter{cmd: cmd, client: &http.Client{Timeout: 5 * time.Second}, started: time.Now()}
	return a, err
}

// runAdapter waits for the cable and becomes the adapter. Without a program it
// is the program's server with profiles.
func runAdapter(args []string) error {
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return fmt.Errorf("waiting for the network: %w", err)
	}
	if err := ip("link set lo up", "addr add "+adapterIP+"/24 dev eth0", "link set eth0 up", "route add default via "+ourIP); err != nil {
		return err
	}
	if args[0] != "" {
		return syscall.Exec(args[0], args, os.Environ())
	}
	go func() { _ = http.ListenAndServe(":6060", nil) }()
	so := server.NewOptions()
	so.Version, so.Kubeconfig = "bench", strings.TrimPrefix(args[1], "--kubeconfig=")
	so.Parts = []server.Part{server.Autoscaler}
	buckets, err := strconv.ParseUint(strings.TrimPrefix(args[3], "--buckets="), 10, 32)
	if err != nil {
		return fmt.Errorf("%s: %w", args[3], err)
	}
	so.Buckets = uint32(buckets)
	return server.Run(context.Background(), so, slog.New(slog.NewJSONHandler(os.Stdout, nil)))
}

// stop ends the adapter in order, or after ten seconds at once.
func (a *adapter) stop() {
	if a == nil {
		return
	}
	_ = a.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(10*time.Second, func() { _ = a.cmd.Process.Kill() })
	defer timer.Stop()
	_ = a.cmd.Wait()
}

// ready asks the adapter's readiness probe.
func (a *adapter) ready() bool {
	res, err := a.client.Get("http://" + adapterIP + ":8080/readyz")
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// alive reports whether the process still runs: one that ended has no memory.
func (a *adapter) alive() bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(a.cmd.Process.Pid) + "/statm")
	return err == nil && len(b) > 0 && b[0] != '0'
}

// usage is what the kernel and the program report of it.
type usage struct {
	// cpu is in seconds since the start, rss, peak and heap in MiB.
	cpu, rss, peak, heap, goroutines float64
	at                               time.Time
	net                              traffic
}

func (a *adapter) usage() usage {
	u := usage{at: time.Now(), net: readTraffic()}
	pid := strconv.Itoa(a.cmd.Process.Pid)
	if b, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil {
		if f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:])); len(f) > 13 {
			u.cpu = (number(f[11]) + number(f[12])) / 100 // in clock ticks
		}
	}
	if b, err := os.ReadFile("/proc/" + pid + "/status"); err == nil {
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 1 {
				switch f[0] {
				case "VmRSS:":
					u.rss = number(f[1]) / 1024
				case "VmHWM:":
					u.peak = number(f[1]) / 1024
				}
			}
		}
	}
	own := a.metrics()
	u.heap, u.goroutines = own["go_memstats_heap_inuse_bytes"]/(1<<20), own["go_goroutines"]
	return u
}

// metrics are the adapter's own, without those that have labels we do not ask for.
func (a *adapter) metrics() map[string]float64 {
	res, err := a.client.Get("http://" + adapterIP + ":9090/metrics")
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	values := map[string]float64{}
	for s := bufio.NewScanner(res.Body); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), " "); ok && !strings.HasPrefix(name, "#") {
			values[name] = number(value)
		}
	}
	return values
}

func number(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	return v
}
