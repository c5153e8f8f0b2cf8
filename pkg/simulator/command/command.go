package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// What Run returns: 0 when all went well, 1 when something could not be done,
// 2 when a flag or a file is wrong and the user can mend it.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Run is the command: args come after the word simulate. The result goes to
// stdout, progress and errors to stderr. It returns the exit code.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		fmt.Fprint(stdout, usage())
		return exitOK
	}
	out := output{stdout: stdout, stderr: stderr}
	if err == nil {
		err = dispatch(ctx, o, &out)
	}
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "simulate: interrupted; nothing was written")
		return exitFailed
	}
	fmt.Fprintf(stderr, "simulate: %v\n", err)
	if errors.As(err, new(failure)) {
		return exitFailed
	}
	return exitUsage
}

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
