package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/knative-inference/autoscaler-adapter/pkg/playground"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/command"
)

// run executes the command that args name and returns the exit code. args[0] is the program's own name.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(args[0])
	root.SetArgs(args[1:])
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if status := interface {
		error
		ExitCode() int
	}(nil); errors.As(err, &status) {
		fmt.Fprintln(stderr, err)
		return status.ExitCode()
	}
	fmt.Fprintf(stderr, "%s: %v\nSee %[1]s --help.\n", root.CommandPath(), err) // a command or flag that is not there
	return 2
}

// newRoot returns the program under the name by which it was called.
func newRoot(program string) *cobra.Command {
	root := &cobra.Command{
		Use:   "ipa",
		Short: "Inference Pod Autoscaler for Knative: try autoscaling policies without a cluster",
		Long: `The Inference Pod Autoscaler (IPA) for Knative, for people: compare autoscaling policies on
recorded or synthetic traffic, or watch a simulated fleet being scaled in the browser.
Nothing here needs a cluster or a GPU.`,
		SilenceErrors: true, SilenceUsage: true,
		SuggestionsMinimumDistance: 2,
	}
	if name := strings.TrimSuffix(filepath.Base(program), ".exe"); name == "kubectl-ipa" {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl ipa"}
	}
	root.AddCommand(command.New(), playground.New(), newVersion())
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version",
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) {
			fmt.Fprintf(c.OutOrStdout(), "ipa %s, %s, %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}
