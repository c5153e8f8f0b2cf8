package command

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/policy"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

const intro = `Replays a trace of requests on a simulated fleet of vLLM-like engines and shows
what each autoscaling policy would have cost, and given, beside the least that
any policy could have done with (the oracle).

Usage:
  {command} --trace FILE [flags]
  {command} --synthetic NAME [flags]
  {command} --fidelity DIR [--engine NAME|FILE.json] [--json FILE]
  {command} --fit SOURCE --out PROFILE.json
  {command} --profiles

Examples:
  {command} --synthetic burst --policy ipa,kpa,static
  {command} --trace azure2023_conv.csv --scale 8 --policy ipa,kpa:target=20,hpa --seeds 5
  {command} --trace mine.csv --columns time=when,input=prompt,output=answer --html report.html
  {command} --synthetic diurnal --engine h100-llama-3.1-8b --sweep --html report.html
  zcat week.csv.gz | {command} --trace - --from 1d --to 2d --json figures.json

A comma separates policies. Options follow their policy after a colon, and each
other after a comma or a colon:
  kpa:target=20,window=60s,hpa:metric=kv_cache_usage_percent,target=50
is kpa with two options and hpa with two. Without a size, static is the smallest
fleet of fixed size that holds the goal; static:replicas=8 is eight.

Synthetic loads:
`

// usage is the whole help.
func usage(c *cobra.Command) string {
	begin := strings.ReplaceAll(intro, "{command}", c.CommandPath())
	return begin + indented(trace.Kinds()) + "\nFlags:\n" + c.Flags().FlagUsagesWrapped(100) + "\nPolicies and their options:\n" + indented(policy.Help())
}

// complete lets a shell complete the values of flags that are names.
func complete(c *cobra.Command) {
	var engines []string
	for _, p := range engine.Profiles() {
		engines = append(engines, p.Name)
	}
	for flag, names := range map[string][]string{
		"engine": engines, "policy": policy.Names(), "synthetic": trace.KindNames(),
		"routing": {string(simulator.LeastRequest), string(simulator.PrefixAware)},
	} {
		// The only error is a flag that is not there, which the tests would see.
		_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(names, cobra.ShellCompDirectiveDefault))
	}
}

func indented(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
}
