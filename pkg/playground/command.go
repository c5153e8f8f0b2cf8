package playground

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
)

// Run is the command playground: it parses the arguments after its name, serves
// until ctx ends and returns the exit code.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := NewControl()
	listen := "127.0.0.1:8089"
	flags := pflag.NewFlagSet("playground", pflag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&listen, "listen", listen, "address and port of the page; port 0 takes a free one")
	flags.StringVar(&c.Shape, "load", c.Shape, "shape of the load: "+shapeNames())
	flags.Float64Var(&c.Rate, "rate", c.Rate, "requests per second at the shape's factor 1")
	flags.Float64Var(&c.Input, "input", c.Input, "mean prompt tokens of a request")
	flags.Float64Var(&c.Output, "output", c.Output, "mean generated tokens of a request")
	flags.StringVar(&c.Policy, "policy", c.Policy, "ipa, or a policy of the simulator with its options, such as kpa:target=20")
	flags.StringVar(&c.Engine, "engine", c.Engine, "engine profile, a name of autoscaler-adapter simulate --profiles")
	flags.DurationVar(&c.Lead, "lead", c.Lead, "mean time from a pod's creation to Ready")
	flags.Int32Var(&c.Max, "max", c.Max, "largest number of replicas")
	flags.Usage = func() { // only --help calls it
		fmt.Fprint(stdout, "Usage: autoscaler-adapter playground [flags]\n\nA simulated fleet in real time behind real metrics pages, scraped and scaled by the real program,\nwith a live page in the browser. Needs no cluster and no root.\n\nFlags:\n"+flags.FlagUsages())
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return 0
	case err == nil && flags.NArg() > 0:
		fmt.Fprintf(stderr, "playground: unexpected argument %q; see --help\n", flags.Arg(0))
		return 2
	case err != nil:
		fmt.Fprintf(stderr, "playground: %v; see --help\n", err)
		return 2
	}
	return serve(ctx, c, listen, stdout, stderr)
}

// greeting tells where everything is; %[1]s is the address.
const greeting = `Playground: http://%[1]s
  a pod's page: http://%[1]s/pods/pod-00000/metrics
  metrics API:  http://%[1]s/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/revisions.serving.knative.dev/playground-00001/num_requests_running
  Ctrl-C ends it.
`

func serve(ctx context.Context, c Control, listen string, stdout, stderr io.Writer) int {
	klog.SetSlogLogger(slog.New(slog.DiscardHandler)) // the API server's library greets
	w, err := NewWorld(c, slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		fmt.Fprintf(stderr, "playground: %s\n", strings.TrimPrefix(err.Error(), "playground: "))
		return 2
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		fmt.Fprintf(stderr, "playground: --listen: %v; write an address and a port such as 127.0.0.1:8090, port 0 for a free one\n", err)
		return 1
	}
	fmt.Fprintf(stdout, greeting, l.Addr())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 2)
	go func() { failed <- w.Run(ctx) }()
	go func() { failed <- w.Serve(ctx, l) }()
	err = <-failed
	cancel()
	if other := <-failed; err == nil {
		err = other
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func shapeNames() string {
	var names []string
	for _, s := range Shapes() {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}
