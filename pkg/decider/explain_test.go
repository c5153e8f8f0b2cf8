package decider

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// The JSON form has every number under a name with its unit, null for unknown.
func TestExplain_isTheSameInJSON(t *testing.T) {
	d := Decision{
		Replicas: 3, Reason: TooManyReplicas, Metric: SLO,
		Wants: []Want{
			{SLO, 99.35, 99, 4, 4, DesiredWithinRange, nil},
			{RPS, Unknown(), 8, -1, -1, NoData, nil},
		},
		Trace: []Step{{"bounds", 4, 3, TooManyReplicas}},
		SLO: &SLOParts{
			CapacityRPS: 2.14, Limit: "sequences", Demand: 6, Attainment: 0.9935, Backlog: 0, Need: 2.85, NeedLevel: 2.8, NeedPast: 2.85,
			StartupTime: 60, GrowthFactor: 1.02, TargetLoad: 0.7, Floor: Unknown(), ConcurrencyTarget: 12,
		},
		Objective: Objective{TTFT: 2 * time.Second, ITL: 100 * time.Millisecond, Goal: 0.99},
	}
	b, err := json.Marshal(d.Explain())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`"replicas":3,"reason":"TooManyReplicas","metric":"slo"`, `"metric":"rps","observed":null,"target":8,"neededReplicas":-1`,
		`"ttftSeconds":2,"itlSeconds":0.1,"goalRatio":0.99,"limitedBy":"sequences","capacityRps":2.14,"demandRps":6`, `"startupTimeSeconds":60,"growthFactor":1.02,"targetLoadRatio":0.7,"attainmentRatio":0.9935`,
		`"unavoidableMissesRatio":null`, `{"rule":"bounds","from":4,"to":3,"reason":"TooManyReplicas","text":"lowered from 4 to 3 (max-scale)"}`,
	} {
		if !strings.Contains(string(b), part) {
			t.Errorf("%s is not in %s", part, b)
		}
	}
}

func TestSLOSentences(t *testing.T) {
	known := SLOParts{CapacityRPS: 2.14, Limit: "sequences", Demand: 6, Attainment: 0.9935, Need: 2.85, NeedLevel: 2.8, NeedPast: 2.85}
	objective := Objective{TTFT: 2 * time.Second, ITL: 100 * time.Millisecond, Goal: 0.99}
	for _, tt := range []struct {
		name   string
		change func(*SLOParts, *Objective)
		want   string
	}{
		{"as language.md has it", func(*SLOParts, *Objective) {}, "Demand is 6.0 requests/s; one replica sustains 2.14 requests/s within the objective " +
			"(limited by concurrent requests). 99.4 % of recent requests met TTFT <= 2s and ITL <= 100ms (goal 99 %). Nothing waits."},
		{"nothing is known", func(p *SLOParts, _ *Objective) {
			p.Demand, p.CapacityRPS, p.Attainment, p.Backlog, p.Need = Unknown(), Unknown(), Unknown(), Unknown(), Unknown()
		}, "Demand is unknown; what one replica sustains is unknown. No recent request was measured against TTFT <= 2s and ITL <= 100ms (goal 99 %). " +
			"How many requests wait is unknown."},
		{"a queue, no nodes, long prompts", func(p *SLOParts, o *Objective) {
			p.Backlog, p.Unmet, p.Need, p.NeedLevel, o.TTFTPerToken = 1, 2, 3.6, 3.6, time.Millisecond
		}, "Demand is 6.0 requests/s; one replica sustains 2.14 requests/s within the objective (limited by concurrent requests). " +
			"To be ready for growth, 3.6 replicas are needed. 99.4 % of recent requests met TTFT <= 2s + 1ms per prompt token and ITL <= 100ms (goal 99 %). " +
			"1 request waits. No node is found for 2 replicas."},
		{"unequal ranks", func(p *SLOParts, _ *Objective) { p.RankSkew, p.Need = 1.5, 2.8 },
			"Demand is 6.0 requests/s; one replica sustains 2.14 requests/s within the objective (limited by concurrent requests). " +
				"The fullest data-parallel rank of a pod is given 1.5 times the prompt tokens of the mean rank, and is full before the others. " +
				"99.4 % of recent requests met TTFT <= 2s and ITL <= 100ms (goal 99 %). Nothing waits."},
		{"nearly equal ranks", func(p *SLOParts, _ *Objective) { p.RankSkew, p.Need = 1.09, 2.8 },
			"Demand is 6.0 requests/s; one replica sustains 2.14 requests/s within the objective (limited by concurrent requests). " +
				"99.4 % of recent requests met TTFT <= 2s and ITL <= 100ms (goal 99 %). Nothing waits."},
		{"sixteen prompts in an HTTP request", func(p *SLOParts, _ *Objective) { p.RequestRatio, p.Need = 16, 2.8 },
			"Demand is 6.0 requests/s; one replica sustains 2.14 requests/s within the objective (limited by concurrent requests). " +
				"Demand is in engine requests, 16 for each HTTP request. 99.4 % of recent requests met TTFT <= 2s and ITL <= 100ms (goal 99 %). Nothing waits."},
		{"nobody knows how many", func(p *SLOParts, _ *Objective) { p.RequestRatio, p.Need = Unknown(), 2.8 },
			"Demand is 6.0 requests/s; one replica sustains 2.14 requests/s within the objective (limited by concurrent requests). " +
				"How many engine requests an HTTP request brings is not known yet; 1 is assumed. " +
				"99.4 % of recent requests met TTFT <= 2s and ITL <= 100ms (goal 99 %). Nothing waits."},
		{"almost all requests met it", func(p *SLOParts, _ *Objective) { p.Attainment, p.Demand, p.Need = 0.9999, 0.045, 0.02 },
			"Demand is 0.045 requests/s; one replica sustains 2.14 requests/s within the objective (limited by concurrent requests). " +
				"99.9 % of recent requests met TTFT <= 2s and ITL <= 100ms (goal 99 %). Nothing waits."},
	} {
		p, o := known, objective
		tt.change(&p, &o)
		if got := strings.Join(sloSentences(p, o), " "); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}
