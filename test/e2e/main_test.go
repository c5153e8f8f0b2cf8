//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// cluster is what every test talks to. It is set once, before the first test.
var cluster *environment

func TestMain(m *testing.M) {
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), slowness*5*time.Minute)
	defer cancel()
	env, err := newEnvironment()
	if err != nil {
		return failed("cannot reach the cluster", err)
	}
	cluster = env
	if os.Getenv("IPA_E2E_INSTALL") == "skip" {
		return m.Run()
	}
	before, err := env.prepare(ctx)
	if err != nil {
		return failed("preparing", err)
	}
	if err := env.install(ctx); err != nil {
		return failed("installing", err)
	}
	code := m.Run()
	if code != 0 && os.Getenv("IPA_E2E_KEEP") != "" {
		fmt.Println("e2e: IPA_E2E_KEEP is set, the adapter stays installed")
		return code
	}
	ctx, cancel = context.WithTimeout(context.Background(), slowness*3*time.Minute)
	defer cancel()
	if err := env.removeGateway(ctx); err != nil {
		return failed("removing the Gateway", err)
	}
	if err := env.removeAndCompare(ctx, before); err != nil {
		return failed("removing", err)
	}
	return code
}

func failed(what string, err error) int {
	fmt.Printf("--- FAIL: %s: %v\n", what, err)
	return 1
}
