package main

import (
	"slices"
	"strings"
	"testing"
)

func TestSimulatorFlags(t *testing.T) {
	const ack = "python3 -m vllm.entrypoints.openai.api_server --port 8080 --trust-remote-code --model /models/Qwen1.5-4B-Chat/ " +
		"--gpu-memory-utilization 0.95 --max-model-len 8192 --dtype half"
	got, err := simulatorFlags(strings.Fields(ack))
	want := strings.Fields("--port 8080 --model /models/Qwen1.5-4B-Chat/ --max-model-len 8192")
	if err != nil || len(got) < 3 || !slices.Equal(got[3:], want) {
		t.Errorf("got %q, %v; want three of our own and %q", got, err, want)
	}
	for _, wrong := range []string{"", "python3 -c pass", "bash -m vllm.entrypoints.openai.api_server"} {
		if got, err := simulatorFlags(strings.Fields(wrong)); err == nil {
			t.Errorf("%q: got %q, want an error", wrong, got)
		}
	}
}

func TestShTakesOneCommand(t *testing.T) {
	if err := run([]string{"/bin/sh", "-x"}); err == nil {
		t.Error("sh -x is accepted")
	}
}
