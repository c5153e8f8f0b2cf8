package policy

import (
	"flag"
	"fmt"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// kind is one policy by name. define adds its options to a set and returns
// what makes the policy of them, to be called when they are read.
type kind struct {
	name, about string
	define      func(*flag.FlagSet) simulator.NewPolicy
}

func kinds() []kind {
	return []kind{
		{"ipa", "this project's decider", defineIPA},
		{"kpa", "Knative's autoscaler, its own code", defineKPA},
		{"hpa", "the HorizontalPodAutoscaler on one metric", defineHPA},
		{"apa", "AIBrix's application-specific autoscaler", defineAPA},
		{"wva", "llm-d's workload variant autoscaler, and the HPA behind it", defineWVA},
		{"keda", "a ScaledObject of KEDA on one metric, and the HPA behind it", defineKEDA},
		{"static", "a fleet of fixed size", defineStatic},
	}
}

// Oracle is the name that [New] refuses: its schedule is known only when the
// whole trace is; see Schedule.
const Oracle = "oracle"

// New reads "name" or "name:option=value,..." and returns what makes that
// policy, anew for each run. Errors name the option and what is allowed.
func New(spec string) (simulator.NewPolicy, error) {
	name, options, _ := strings.Cut(strings.TrimSpace(spec), ":")
	if name == Oracle {
		return nil, fmt.Errorf("policy %s: it is computed from the whole trace first and takes no options here", Oracle)
	}
	for _, k := range kinds() {
		if k.name != name {
			continue
		}
		set := flag.NewFlagSet(name, flag.ContinueOnError)
		build := k.define(set)
		if err := setOptions(set, options); err != nil {
			return nil, err
		}
		return build, nil
	}
	return nil, fmt.Errorf("policy %q: no such name; there is %s", name, strings.Join(Names(), ", "))
}

// Names lists the policies by name, Oracle last.
func Names() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return append(names, Oracle)
}

// Help lists the policies with their options and defaults, a line each.
func Help() string {
	var b strings.Builder
	for _, k := range kinds() {
		fmt.Fprintf(&b, "%s: %s\n", k.name, k.about)
		set := flag.NewFlagSet(k.name, flag.ContinueOnError)
		k.define(set)
		set.VisitAll(func(f *flag.Flag) {
			fmt.Fprintf(&b, "  %-28s %s\n", f.Name+"="+f.DefValue, f.Usage)
		})
	}
	fmt.Fprintf(&b, "%s: the schedule of the least GPU-hours, known in hindsight only\n", Oracle)
	return b.String()
}
