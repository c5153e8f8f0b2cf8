package command

import (
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/policy"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

const intro = `Replays a trace of requests on a simulated fleet of vLLM-like engines and shows
what each autoscaling policy would have cost, and given, beside the least that
any policy could have done with (the oracle).

Usage:
  autoscaler-adapter simulate --trace FILE [flags]
  autoscaler-adapter simulate --synthetic NAME [flags]
  autoscaler-adapter simulate --fidelity DIR [--engine NAME|FILE.json] [--json FILE]
  autoscaler-adapter simulate --fit SOURCE --out PROFILE.json
  autoscaler-adapter simulate --profiles

Examples:
  simulate --synthetic burst --policy ipa,kpa,static
  simulate --trace azure2023_conv.csv --scale 8 --policy ipa,kpa:target=20,hpa --seeds 5
  simulate --trace mine.csv --columns time=when,input=prompt,output=answer --html report.html
  simulate --synthetic diurnal --engine h100-llama-3.1-8b --sweep --html report.html
  zcat week.csv.gz | simulate --trace - --from 1d --to 2d --json figures.json

A comma separates policies. Options follow their policy after a colon, and each
other after a comma or a colon:
  kpa:target=20,window=60s,hpa:metric=kv_cache_usage_percent,target=50
is kpa with two options and hpa with two. Without a size, static is the smallest
fleet of fixed size that holds the goal; static:replicas=8 is eight.

Synthetic loads:
`

// usage is the whole help.
func usage() string {
	o := options{config: simulator.NewConfig()}
	f := o.flags()
	return intro + indented(trace.Kinds()) + "\nFlags:\n" + f.FlagUsagesWrapped(100) + "\nPolicies and their options:\n" + indented(policy.Help())
}

func indented(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
}
