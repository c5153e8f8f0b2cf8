package engine

import (
	"errors"
	"math"

	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

// maxRanks is more than an engine's page has.
const maxRanks = 1024

var errRanks = errors.New("more than 1024 data-parallel ranks")

// total folds the series of one row.
type total struct {
	// declared: the family has a TYPE line; n: series seen.
	declared bool
	n        int
	// value is the sum or the largest, squares the sum of squares.
	value, squares float64
	// ranks holds one value per data-parallel rank that labels name, rankIndex their places by identity; both are
	// empty where the row is not wanted by rank.
	ranks     []float64
	rankIndex map[uint64]int
	hist      histogram
	// lists are copies of the label values of the newest lora series.
	lists [2][]byte
}

func (t *total) reset() {
	clear(t.rankIndex)
	*t = total{
		ranks: t.ranks[:0], rankIndex: t.rankIndex, lists: [2][]byte{emptied(t.lists[0]), emptied(t.lists[1])},
		hist: t.hist.emptied(),
	}
}

// keptList is the largest list of adapters in bytes whose room is kept from page to page.
const keptList = 4 << 10

// emptied returns a list without content, and without its room when that is exceptional.
func emptied(list []byte) []byte {
	if cap(list) > keptList {
		return nil
	}
	return list[:0]
}

// add folds one series in; rank identifies its data-parallel rank.
func (t *total) add(f engines.Fold, rank uint64, v float64) error {
	t.n++
	switch f {
	case engines.Sum, engines.Weighted:
		t.value += v
		t.squares += square(v)
		if rank != 0 {
			_ = t.addRank(rank, v, sum) // beyond maxRanks they are added up and not counted
		}
	case engines.Largest:
		if t.n == 1 {
			t.value = v
		}
		t.value = math.Max(t.value, v)
	case engines.SumRanks, engines.WeightedRanks:
		return t.addRank(rank, v, math.Max)
	}
	return nil
}

func sum(a, b float64) float64 { return a + b }

// addRank folds one series into the value of its rank.
func (t *total) addRank(rank uint64, v float64, fold func(a, b float64) float64) error {
	i, err := t.rankPlace(rank)
	switch {
	case err != nil:
		return err
	case i < len(t.ranks):
		t.ranks[i] = fold(t.ranks[i], v)
	default:
		t.ranks = append(t.ranks, v)
	}
	return nil
}

// rankPlace is the place of a rank among those that were seen, the next one for a new rank.
func (t *total) rankPlace(rank uint64) (int, error) {
	i, ok := t.rankIndex[rank]
	if ok {
		return i, nil
	}
	if len(t.rankIndex) == maxRanks {
		return 0, errRanks
	}
	if t.rankIndex == nil {
		t.rankIndex = map[uint64]int{}
	}
	i = len(t.rankIndex)
	t.rankIndex[rank] = i
	return i, nil
}

// result is the folded value; it is only asked for when a series was seen.
func (t *total) result(f engines.Fold) float64 {
	switch f {
	case engines.Weighted:
		return weighted(t.n, t.value, t.squares)
	case engines.SumRanks, engines.WeightedRanks:
		sum, squares := 0.0, 0.0
		for _, r := range t.ranks {
			sum, squares = sum+r, squares+square(r)
		}
		if f == engines.WeightedRanks {
			return weighted(len(t.ranks), sum, squares)
		}
		return sum
	default:
		return t.value
	}
}

// square is NaN for what cannot be a share: beside others a negative would pass for one.
func square(v float64) float64 {
	if v < 0 {
		return math.NaN()
	}
	return v * v
}

// weighted is the mean of n numbers, each weighted by itself, from their sum and that of
// their squares. Of numbers that add up to 0 or less there is none, and their sum says so.
func weighted(n int, sum, squares float64) float64 {
	if n == 1 || sum <= 0 && !math.IsNaN(squares) {
		return sum
	}
	return squares / sum
}

// rankCount is the data-parallel ranks among the series, 0 unless there are several.
func (t *total) rankCount() int {
	if n := len(t.rankIndex); n > 1 {
		return n
	}
	return 0
}

// of is the value of one rank, NaN where no series names the rank.
func (t *total) of(rank uint64) float64 {
	if i, ok := t.rankIndex[rank]; ok {
		return t.ranks[i]
	}
	return math.NaN()
}

// addLoRA keeps the lists of the newest series: the value is the time of writing.
func (t *total) addLoRA(s *sample) {
	t.n++
	if t.n > 1 && !(s.value > t.value) {
		return
	}
	t.value = s.value
	for i, name := range []string{"running_lora_adapters", "waiting_lora_adapters"} {
		list, _ := s.label(name)
		t.lists[i] = append(t.lists[i][:0], list...)
	}
}

// product multiplies the labels of the first list that is numeric throughout; NaN when none is.
func product(s *sample, lists [][]string) float64 {
	for _, list := range lists {
		v := 1.0
		for _, name := range list {
			v *= number(s, name)
		}
		if !math.IsNaN(v) {
			return v
		}
	}
	return math.NaN()
}

// number reads a label as an unsigned number. vLLM writes "None" for what it
// does not have; telling that by the first byte spares an allocated error.
func number(s *sample, name string) float64 {
	text, ok := s.label(name)
	if !ok || len(text) == 0 || !isDigit(text[0]) {
		return math.NaN()
	}
	v, err := parseFloat(text)
	if err != nil {
		return math.NaN()
	}
	return v
}
