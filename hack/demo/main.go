// Command demo shows the product at work on a cluster that runs already: it
// installs the adapter, makes a Knative Service that serves a model, sends it
// real requests whose prompts fill the KV cache, and prints what is measured,
// what each signal asks for and what happens. hack/demo.sh starts it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	engine := flag.String("engine", "sim", "sim: a simulator of vLLM; vllm: real vLLM")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *engine)
	stop()
	if err != nil {
		if errors.Is(err, context.Canceled) {
			err = errors.New("interrupted")
		}
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, engine string) error {
	m, err := modelFor(engine)
	if err != nil {
		return err
	}
	c, err := newCluster()
	if err != nil {
		return err
	}
	if os.Getenv("KEEP") == "" {
		defer c.cleanUp(m)
	}
	heading("Installing the autoscaler-adapter: kubectl apply -f config/")
	if err := c.install(ctx); err != nil {
		return err
	}
	heading("A Knative Service that serves a model with " + m.engine)
	text, err := m.yaml(ctx)
	if err != nil {
		return err
	}
	fmt.Println(m.excerpt(text))
	start := time.Now()
	if err := c.deploy(ctx, text, m); err != nil {
		return err
	}
	fmt.Printf("Ready after %.1f s.\n", time.Since(start).Seconds())
	if err := show(ctx, c, m); err != nil {
		return err
	}
	if os.Getenv("KEEP") != "" {
		fmt.Printf("\nKEEP is set: all of it still runs. Send your own: curl -H 'Host: %s' http://%s/v1/completions ...\n", m.host(), c.ingress)
	}
	return nil
}

func heading(text string) { fmt.Printf("\n== %s\n", text) }
