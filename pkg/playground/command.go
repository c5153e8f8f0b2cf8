package playground

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
)

// New returns the command playground, which serves until its context ends. An error
// is one line for the user and has the exit code as its method ExitCode.
func New() *cobra.Command {
	control, listen := NewControl(), "127.0.0.1:8089"
	c := &cobra.Command{
		Use: "playground", Short: "Watch a simulated fleet being scaled, in the browser",
		Long: `A simulated fleet in real time behind real metrics endpoints, scraped and scaled by the real program,
with a live page in the browser. Needs no cluster and no root.`,
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return exit{2, fmt.Errorf("unexpected argument %q; see --help", args[0])}
		},
		RunE: func(c *cobra.Command, _ []string) error {
			return serve(c, control, listen)
		},
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return exit{2, fmt.Errorf("%w; see --help", err)} })
	flags := c.Flags()
	flags.StringVar(&listen, "listen", listen, "address and port of the page; port 0 takes a free one")
	flags.StringVar(&control.Shape, "load", control.Shape, "shape of the load: "+shapeNames())
	flags.Float64Var(&control.Rate, "rate", control.Rate, "requests per second at the shape's factor 1")
	flags.Float64Var(&control.Input, "input", control.Input, "mean prompt tokens of a request")
	flags.Float64Var(&control.Output, "output", control.Output, "mean generated tokens of a request")
	flags.StringVar(&control.Policy, "policy", control.Policy, "ipa, or a policy of the simulator with its options, such as kpa:target=20")
	flags.StringVar(&control.Engine, "engine", control.Engine, "engine profile, a name of ipa simulate --profiles")
	flags.DurationVar(&control.Lead, "lead", control.Lead, "mean time from a pod's creation to Ready")
	flags.Int32Var(&control.Max, "max", control.Max, "largest number of replicas")
	return c
}

// exit is an error with the exit code of the program: 1 when something could not
// be done, 2 when a flag is wrong.
type exit struct {
	code int
	error
}

// Error is a line for the user.
func (e exit) Error() string {
	return "playground: " + strings.TrimPrefix(e.error.Error(), "playground: ")
}

// ExitCode is 1 or 2.
func (e exit) ExitCode() int { return e.code }

// Unwrap returns what went wrong.
func (e exit) Unwrap() error { return e.error }

// greeting says where everything is; %[1]s is the address.
const greeting = `Playground: http://%[1]s
  a pod's page: http://%[1]s/pods/pod-00000/metrics
  metrics API:  http://%[1]s/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/revisions.serving.knative.dev/playground-00001/num_requests_running
  Ctrl-C ends it.
`

// serve runs the playground until the context of its command ends.
func serve(command *cobra.Command, c Control, listen string) error {
	klog.SetSlogLogger(slog.New(slog.DiscardHandler)) // the API server's library greets
	warnings := slog.NewTextHandler(command.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})
	w, err := NewWorld(c, slog.New(warnings))
	if err != nil {
		return exit{2, err}
	}
	l, err := (&net.ListenConfig{}).Listen(command.Context(), "tcp", listen)
	if err != nil {
		return exit{1, fmt.Errorf("--listen: %w; write an address and a port such as 127.0.0.1:8090, port 0 for a free one", err)}
	}
	fmt.Fprintf(command.OutOrStdout(), greeting, l.Addr())
	err = together(command.Context(), w.Run, func(ctx context.Context) error { return w.Serve(ctx, l) })
	if err != nil {
		return exit{1, err}
	}
	return nil
}

// together runs two functions until one of them ends, ends the other, and returns the first error.
func together(ctx context.Context, one, other func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 2)
	for _, f := range []func(context.Context) error{one, other} {
		go func() { failed <- f(ctx) }()
	}
	err := <-failed
	cancel()
	return cmp.Or(err, <-failed)
}

func shapeNames() string {
	var names []string
	for _, s := range Shapes() {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}
