package engine

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The histogram of a pod is the sum of the page's series at the bounds that all of them have.
func TestParse_histograms(t *testing.T) {
	nan := math.NaN()
	for name, tt := range map[string]struct {
		series string
		want   Histogram
	}{
		"one series": {`bucket{le="1"} 2|bucket{le="+Inf"} 3|count 3|sum 4`,
			Histogram{[]float64{1}, []float64{2}, 3, 4}},
		"without a count": {`bucket{le="1"} 2|bucket{le="+Inf"} 3|sum 4`,
			Histogram{[]float64{1}, []float64{2}, 3, 4}},
		"without count and bucket +Inf": {`bucket{le="1"} 2|sum 4`,
			Histogram{[]float64{1}, []float64{2}, nan, 4}},
		"the count wins": {`bucket{le="1"} 2|bucket{le="+Inf"} 9|count 3`,
			Histogram{[]float64{1}, []float64{2}, 3, nan}},
		"two series": {`bucket{e="0",le="1"} 2|bucket{e="0",le="2"} 3|count{e="0"} 4|bucket{e="1",le="1"} 10|bucket{e="1",le="2"} 20|count{e="1"} 30`,
			Histogram{[]float64{1, 2}, []float64{12, 23}, 34, nan}},
		"two series without a count": {`bucket{e="0",le="1"} 2|bucket{e="0",le="+Inf"} 4|bucket{e="1",le="1"} 10|bucket{e="1",le="+Inf"} 30`,
			Histogram{[]float64{1}, []float64{12}, 34, nan}},
		"other bounds in the second": {`bucket{e="0",le="1"} 2|bucket{e="0",le="2"} 3|bucket{e="0",le="5"} 4|count{e="0"} 4|bucket{e="1",le="1.5"} 10|bucket{e="1",le="2"} 20|count{e="1"} 30`,
			Histogram{[]float64{2}, []float64{23}, 34, nan}},
		"no bound in common": {`bucket{e="0",le="1"} 2|bucket{e="0",le="+Inf"} 4|bucket{e="1",le="2"} 10|bucket{e="1",le="+Inf"} 30`,
			Histogram{nil, nil, 34, nan}},
		"pairs of series that share a bound": {`bucket{e="0",le="1"} 1|bucket{e="1",le="1"} 1|bucket{e="2",le="2"} 1|bucket{e="3",le="2"} 1|count{e="0"} 1|count{e="1"} 1|count{e="2"} 1|count{e="3"} 1`,
			Histogram{nil, nil, 4, nan}},
		"a series without buckets": {`bucket{e="0",le="1"} 2|count{e="0"} 4|count{e="1"} 30`,
			Histogram{nil, nil, 34, nan}},
		"a series without a total": {`bucket{e="0",le="1"} 2|count{e="0"} 4|sum{e="0"} 1|bucket{e="1",le="1"} 5`,
			Histogram{[]float64{1}, []float64{7}, nan, nan}},
		"one with a count, one with a bucket +Inf": {`bucket{e="0",le="1"} 2|count{e="0"} 4|bucket{e="1",le="1"} 5|bucket{e="1",le="+Inf"} 6`,
			Histogram{[]float64{1}, []float64{7}, nan, nan}},
		"a count that is no number": {`bucket{e="0",le="1"} 2|count{e="0"} NaN|bucket{e="1",le="1"} 5|count{e="1"} 6`,
			Histogram{[]float64{1}, []float64{7}, nan, nan}},
		"one bound written in two ways": {`bucket{le="1"} 2|bucket{le="1.0"} 3|bucket{le="2"} 3|count 4`,
			Histogram{[]float64{1}, []float64{5}, nan, nan}},
		"bare": {`bucket{le="NaN"} 2`, Histogram{nil, nil, nan, nan}},
	} {
		const family = "vllm:time_to_first_token_seconds_"
		page := family + strings.ReplaceAll(tt.series, "|", "\n"+family) + "\n"
		layout := &Layout{}
		for _, how := range []string{"parsed", "learned", "recalled"} {
			if diff := cmp.Diff(tt.want, parseLike(t, layout, page).TTFT, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, how, diff)
			}
		}
	}
}
