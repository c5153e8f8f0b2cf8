package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// The two ends of the cable between the load's namespace, where the API server
// and all pods are, and that of the adapter.
const (
	ourIP      = "10.200.0.1"
	adapterIP  = "10.200.0.2"
	ourLink    = "bench0"
	podNetwork = "10.64.0.0/10"
	maxPods    = 1<<22 - 2
)

// podIP is the address of the i-th pod, within podNetwork.
func podIP(i int) string {
	n := i + 1
	return fmt.Sprintf("10.%d.%d.%d", 64+n>>16, n>>8&255, n&255)
}

// podAt is the reverse of podIP.
func podAt(ip [4]byte) int { return (int(ip[1])-64)<<16 + int(ip[2])<<8 + int(ip[3]) - 1 }

// ip runs the command of that name, one line of arguments each.
func ip(lines ...string) error {
	for _, line := range lines {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	return nil
}

// setUpNetwork makes every pod's address one of this namespace's own.
func setUpNetwork() error {
	return ip("link set lo up", "route add local "+podNetwork+" dev lo")
}

// connect lays the cable to the namespace of a process.
func connect(pid int) error {
	_ = ip("link del " + ourLink) // that of an earlier adapter, if it is still there
	return ip(
		fmt.Sprintf("link add %s type veth peer name eth0 netns %d", ourLink, pid),
		fmt.Sprintf("addr add %s/24 dev %s", ourIP, ourLink),
		fmt.Sprintf("link set %s up", ourLink))
}

// traffic is the bytes that the adapter received and sent since its start.
type traffic struct{ in, out float64 }

// readTraffic reads our end: what we send, the adapter receives.
func readTraffic() (t traffic) {
	b, err := os.ReadFile("/proc/self/net/dev")
	if err != nil {
		return t
	}
	for line := range strings.Lines(string(b)) {
		if name, counters, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == ourLink {
			if f := strings.Fields(counters); len(f) > 8 {
				t.out, t.in = number(f[0]), number(f[8])
			}
		}
	}
	return t // all 0 without an adapter: the cable goes with it
}
