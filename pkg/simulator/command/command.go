package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// What Run returns: 0 when all went well, 1 when something could not be done,
// 2 when a flag or a file is wrong and the user can mend it.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// New returns the command simulate. Its result goes to the command's stdout, progress and remarks to its stderr.
// An error is one line for the user and has the exit code as its method ExitCode.
func New() *cobra.Command {
	o := options{config: simulator.NewConfig()}
	return o.command()
}

// command binds the options to a command, which reads them when it runs.
func (o *options) command() *cobra.Command {
	c := &cobra.Command{
		Use: "simulate", Short: "Compare autoscaling policies on a trace, without a cluster",
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return exit{exitUsage, fmt.Errorf("unexpected argument %q; every value follows a flag, as in --trace FILE (see simulate --help)", args[0])}
		},
		RunE: func(c *cobra.Command, _ []string) error {
			o.changed = c.Flags().Changed
			return o.run(c.Context(), &output{stdout: c.OutOrStdout(), stderr: c.ErrOrStderr()})
		},
	}
	c.Flags().SortFlags = false
	o.bind(c.Flags())
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return exit{exitUsage, hint(c.Flags(), err)} })
	c.SetHelpFunc(func(c *cobra.Command, _ []string) { fmt.Fprint(c.OutOrStdout(), usage(c)) })
	complete(c)
	return c
}

// run checks the options together and does what they ask for.
func (o *options) run(ctx context.Context, out *output) error {
	if slices.Contains(o.config.Hide, hideList) {
		_, err := fmt.Fprint(out.stdout, simulator.Hideables())
		return err
	}
	err := o.validate()
	if err == nil {
		err = dispatch(ctx, *o, out)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return exit{exitFailed, errors.New("interrupted; nothing was written")}
	case errors.As(err, new(failure)):
		return exit{exitFailed, err}
	}
	return exit{exitUsage, err}
}

// Run runs the command alone: args come after the word simulate. It returns the exit code.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := New()
	c.SetArgs(append([]string{}, args...)) // nil would mean those of the process
	c.SetOut(stdout)
	c.SetErr(stderr)
	err := c.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(stderr, err)
	code := exit{code: exitUsage}
	errors.As(err, &code)
	return code.code
}

// exit is an error with the exit code of the program.
type exit struct {
	code int
	error
}

// Error is a line for the user.
func (e exit) Error() string { return "simulate: " + e.error.Error() }

// ExitCode is 1 or 2.
func (e exit) ExitCode() int { return e.code }

// Unwrap returns what went wrong.
func (e exit) Unwrap() error { return e.error }

// failure is an error that no other flag or file would mend.
type failure struct{ error }

// Unwrap returns what failed.
func (f failure) Unwrap() error { return f.error }

// dispatch runs the one thing that the flags ask for.
func dispatch(ctx context.Context, o options, out *output) error {
	switch o.mode() {
	case "profiles":
		return listProfiles(out)
	case "fidelity":
		return fidelity(o, out)
	case "fit":
		return learn(ctx, o, out)
	default:
		return simulate(ctx, o, out)
	}
}

// output is where things are written to.
type output struct{ stdout, stderr io.Writer }

// text is where a table goes: to stderr, when stdout is taken by a file named "-".
func (o *output) text(files ...string) io.Writer {
	for _, f := range files {
		if f == "-" {
			return o.stderr
		}
	}
	return o.stdout
}

// say writes a remark that is not part of the result.
func (o *output) say(format string, args ...any) {
	fmt.Fprintf(o.stderr, "simulate: "+strings.TrimSuffix(format, "\n")+"\n", args...)
}

// file writes a file through write, or stdout for "-"; an empty name writes nothing.
func (o *output) file(name string, write func(io.Writer) error) error {
	switch name {
	case "":
		return nil
	case "-":
		return write(o.stdout)
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return failure{fmt.Errorf("%s: %w", name, err)}
	}
	if err := f.Close(); err != nil {
		return failure{err}
	}
	o.say("wrote %s", name)
	return nil
}
