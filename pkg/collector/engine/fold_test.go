package engine

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A pod's KV cache is as full as the caches of its ranks are for the requests in them.
func TestParse_unequalRanks(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		ranks []float64
		want  float64
	}{
		{[]float64{.4}, .4},
		{[]float64{.4, .4}, .4},
		{[]float64{.95, .05}, .905},
		{[]float64{1, 0, 0, 0, 0, 0, 0, 0}, 1},
		{[]float64{0, 0}, 0},
		{[]float64{.9, nan}, nan},
		{[]float64{.9, -.1}, nan},
		{[]float64{.9, math.Inf(1)}, nan},
	}
	for _, engine := range []string{"vllm:num_requests_running 0 vllm:kv_cache_usage_perc engine", "sglang:num_running_reqs 0 sglang:token_usage dp_rank"} {
		name := strings.Fields(engine)
		for _, tt := range tests {
			t.Run(fmt.Sprint(name[2], tt.ranks), func(t *testing.T) {
				page := "# TYPE " + name[0] + " gauge\n# TYPE " + name[2] + " gauge\n"
				for rank, v := range tt.ranks {
					page += fmt.Sprintf("%s{%s=\"%d\"} 1\n%s{%s=\"%d\"} %v\n", name[0], name[3], rank, name[2], name[3], rank, v)
				}
				got, err := parse(t, "", []byte(page))
				if err != nil {
					t.Fatal(err)
				}
				if math.Abs(got.KVUsage-tt.want) > 1e-9 || math.IsNaN(got.KVUsage) != math.IsNaN(tt.want) {
					t.Errorf("KV cache %v, want %v", got.KVUsage, tt.want)
				}
			})
		}
	}
}

// A rank is what all labels of ranks say together: series that differ in none of them are of one.
func TestParse_ranksByLabels(t *testing.T) {
	for name, tt := range map[string]struct {
		series string
		ranks  int
	}{
		"no label":                        {`vllm:num_requests_running{model_name="a"} 1`, 0},
		"one rank":                        {`vllm:num_requests_running{engine="0"} 1`, 0},
		"vLLM's own label":                {`vllm:num_requests_running{engine="0"} 1 vllm:num_requests_running{engine="1"} 2`, 2},
		"dp_rank":                         {`vllm:num_requests_running{dp_rank="0"} 1 vllm:num_requests_running{dp_rank="1"} 2`, 2},
		"one engine of each dp_rank":      {`vllm:num_requests_running{engine="0",dp_rank="0"} 1 vllm:num_requests_running{engine="0",dp_rank="1"} 2`, 2},
		"two engines of two dp_ranks":     {`vllm:num_requests_running{engine="0",dp_rank="1"} 1 vllm:num_requests_running{engine="1",dp_rank="0"} 2`, 2},
		"two engines of each dp_rank":     {`vllm:num_requests_running{engine="0",dp_rank="0"} 1 vllm:num_requests_running{engine="1",dp_rank="0"} 2 vllm:num_requests_running{dp_rank="1",engine="0"} 0 vllm:num_requests_running{dp_rank="1",engine="1"} 0`, 4},
		"two models of one rank":          {`vllm:num_requests_running{engine="0",dp_rank="0",model_name="a"} 1 vllm:num_requests_running{engine="0",dp_rank="0",model_name="b"} 2`, 0},
		"an empty label is none":          {`vllm:num_requests_running{engine="",dp_rank=""} 1 vllm:num_requests_running{model_name="b"} 2`, 0},
		"SGLang: tensor ranks of dp_rank": {`sglang:num_running_reqs{dp_rank="0",tp_rank="0"} 1 sglang:num_running_reqs{dp_rank="0",tp_rank="1"} 1 sglang:num_running_reqs{dp_rank="1",tp_rank="2"} 2`, 2},
		"SGLang: engine is no rank":       {`sglang:num_running_reqs{engine="0"} 3 sglang:num_running_reqs{engine="1"} 3`, 0},
	} {
		page := strings.NewReplacer(" vllm", "\nvllm", " sglang", "\nsglang").Replace(tt.series) + "\n"
		layout := &Layout{}
		for _, how := range []string{"parsed", "learned", "recalled"} {
			s := parseLike(t, layout, page)
			if s.Ranks != tt.ranks || s.Running != 1 && s.Running != 3 {
				t.Errorf("%s, %s: %d ranks with %v running, want %d", name, how, s.Ranks, s.Running, tt.ranks)
			}
		}
	}
}

// Beyond maxRanks series of vLLM are added up and no longer counted.
func TestParse_moreRanksThanAnyEngine(t *testing.T) {
	s := parseLike(t, nil, string(linesOf(64<<10, "vllm:num_requests_running{engine=\"%d\"} 1\n")))
	if s.Ranks != maxRanks || s.Running < maxRanks {
		t.Errorf("%d ranks with %v running, want %d ranks and more running", s.Ranks, s.Running, maxRanks)
	}
}

func parseLike(t *testing.T, l *Layout, page string) (s Stat) {
	t.Helper()
	p, err := NewTables().NewParser("", 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.ParseLike(l, never, []byte(page), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// The fullest rank is the one that computed the most prompt tokens, whatever runs at this moment.
func TestParse_fullestRank(t *testing.T) {
	const even = `vllm:num_requests_running{engine="0"} 5 vllm:num_requests_running{engine="1"} 9 vllm:num_requests_waiting{engine="0"} 2 vllm:num_requests_waiting{engine="1"} 0 `
	nan := math.NaN()
	for name, tt := range map[string]struct {
		series string
		want   FullestRank
	}{
		"one of two":                  {even + `vllm:prompt_tokens_total{engine="0"} 300 vllm:prompt_tokens_total{engine="1"} 100`, FullestRank{PromptTokens: 300, Running: 5, Waiting: 2}},
		"the other":                   {even + `vllm:prompt_tokens_total{engine="1"} 300 vllm:prompt_tokens_total{engine="0"} 100`, FullestRank{PromptTokens: 300, Running: 9, Waiting: 0}},
		"equal tokens, more running":  {even + `vllm:prompt_tokens_total{engine="0"} 100 vllm:prompt_tokens_total{engine="1"} 100`, FullestRank{PromptTokens: 100, Running: 9, Waiting: 0}},
		"two models of a rank":        {even + `vllm:prompt_tokens_total{engine="0",model_name="a"} 80 vllm:prompt_tokens_total{engine="0",model_name="b"} 80 vllm:prompt_tokens_total{engine="1",model_name="a"} 100`, FullestRank{PromptTokens: 160, Running: 5, Waiting: 2}},
		"one rank":                    {`vllm:num_requests_running{engine="0"} 5 vllm:prompt_tokens_total{engine="0"} 300`, FullestRank{}},
		"no prompts yet":              {even + `vllm:prompt_tokens_total{engine="0"} 0 vllm:prompt_tokens_total{engine="1"} 0`, FullestRank{}},
		"tokens of one rank only":     {even + `vllm:prompt_tokens_total{engine="0"} 300`, FullestRank{}},
		"tokens of all ranks at once": {even + `vllm:prompt_tokens_total{model_name="a"} 300`, FullestRank{}},
		"tokens of three ranks":       {even + `vllm:prompt_tokens_total{engine="0"} 300 vllm:prompt_tokens_total{engine="1"} 100 vllm:prompt_tokens_total{engine="2"} 100`, FullestRank{}},
		"a rank with NaN":             {even + `vllm:prompt_tokens_total{engine="0"} 300 vllm:prompt_tokens_total{engine="1"} NaN`, FullestRank{}},
		"a rank below zero":           {even + `vllm:prompt_tokens_total{engine="0"} 300 vllm:prompt_tokens_total{engine="1"} -1`, FullestRank{}},
		"no queue reported":           {`vllm:num_requests_running{engine="0"} 5 vllm:num_requests_running{engine="1"} 9 vllm:prompt_tokens_total{engine="0"} 300 vllm:prompt_tokens_total{engine="1"} 100`, FullestRank{PromptTokens: 300, Running: 5, Waiting: nan}},
	} {
		page := strings.ReplaceAll(tt.series, " vllm", "\nvllm") + "\n"
		layout := &Layout{}
		for _, how := range []string{"parsed", "learned", "recalled"} {
			s := parseLike(t, layout, page)
			if !cmp.Equal(s.Fullest, tt.want, cmpopts.EquateNaNs(), anyRank()) {
				t.Errorf("%s, %s: the fullest rank is %+v, want %+v", name, how, s.Fullest, tt.want)
			}
		}
	}
}

// anyRank leaves the ID of a rank out: its hash differs from process to process.
func anyRank() cmp.Option { return cmpopts.IgnoreFields(FullestRank{}, "ID") }

// A rank keeps its ID from page to page, and no other one has it.
func TestParse_fullestRankID(t *testing.T) {
	p, err := NewTables().NewParser("vllm", 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	id := func(first, second int) uint32 {
		s, page := NewStat(""), fmt.Sprintf("vllm:num_requests_running{engine=\"0\"} 5\nvllm:num_requests_running{engine=\"1\"} 9\n"+
			"vllm:prompt_tokens_total{engine=\"0\"} %d\nvllm:prompt_tokens_total{engine=\"1\"} %d\n", first, second)
		if err := p.ParseLike(nil, never, []byte(page), &s); err != nil {
			t.Fatal(err)
		}
		return s.Fullest.ID
	}
	if a, b, c := id(300, 100), id(310, 120), id(310, 400); a != b || a == c {
		t.Errorf("IDs %d, %d and %d; want that of the first rank twice, and another", a, b, c)
	}
}
