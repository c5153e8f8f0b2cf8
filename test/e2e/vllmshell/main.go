// Command vllmshell lets a manifest written for vLLM's own image run, byte for
// byte, on the engine simulator. In the image it stands under two names: as sh
// it runs "sh -c 'python3 -m vllm...'", as python3 it starts
// llm-d-inference-sim with those of vLLM's flags that the simulator knows. It is
// neither a shell nor a Python.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const simulator = "/llm-d-inference-sim"

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "vllmshell:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if filepath.Base(args[0]) == "sh" {
		if len(args) != 3 || args[1] != "-c" {
			return fmt.Errorf("only sh -c COMMAND is understood, not %q", args)
		}
		args = strings.Fields(args[2])
		if len(args) > 0 && args[0] == "exec" {
			args = args[1:]
		}
	}
	flags, err := simulatorFlags(args)
	if err != nil {
		return err
	}
	env := append(os.Environ(), "POD_IP=127.0.0.1") // only named in KV events, which nobody reads
	return syscall.Exec(simulator, append([]string{simulator}, flags...), env)
}

// ignored are flags of vLLM that mean nothing to the simulator; true takes a value.
var ignored = map[string]bool{
	"--trust-remote-code": false, "--enforce-eager": false, "--disable-log-requests": false,
	"--gpu-memory-utilization": true, "--dtype": true, "--tensor-parallel-size": true, "--shutdown-timeout": true, "--host": true,
}

// simulatorFlags turns the arguments of vLLM's server into the simulator's.
func simulatorFlags(args []string) ([]string, error) {
	server := []string{"python3", "-m", "vllm.entrypoints.openai.api_server"}
	if len(args) < len(server) || filepath.Base(args[0]) != server[0] || !slices.Equal(args[1:3], server[1:]) {
		return nil, fmt.Errorf("only %q is understood, not %q", strings.Join(server, " "), args)
	}
	flags := []string{"--force-dummy-tokenizer=true", "--time-to-first-token=50ms", "--inter-token-latency=10ms"}
	for i := 3; i < len(args); i++ {
		name, _, joined := strings.Cut(args[i], "=")
		takes, skip := ignored[name]
		if !skip {
			flags = append(flags, args[i])
		} else if takes && !joined {
			i++
		}
	}
	return flags, nil
}
