package trace

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// The loads model1 to model20 are a day of 20 models on one platform; few of them are busy
// and most are idle most of the time: each is a load of its own.
const (
	// Models is how many there are.
	Models = 20
	// modelPrefix begins their names.
	modelPrefix = "model"
	// dayRequests is what all of them get in a day, on average.
	dayRequests = 10_000
	// zipf is the exponent of their popularity: model r gets 1/r^zipf of what model1 gets.
	zipf = 1.1
	// sessionRequests is the mean of the requests of one user's session (geometric), thinking
	// the mean time between two of them.
	sessionRequests, thinking = 6.0, 30 * time.Second
)

// workday is how many sessions begin, by the hour: nobody at night, most in the morning and
// the afternoon, some in the evening.
func workday() [24]float64 {
	return [24]float64{0, 0, 0, 0, 0, 0, .1, .4, 1, 1, 1, 1, .7, 1, 1, 1, 1, .8, .4, .3, .3, .2, .1, 0}
}

// share is a model's part of the requests, by its rank.
func share(rank int) float64 {
	all := 0.0
	for r := range Models {
		all += math.Pow(float64(r+1), -zipf)
	}
	return math.Pow(float64(rank), -zipf) / all
}

// modelRank reads model7.
func modelRank(name string) (rank int, ok bool) {
	digits, ok := strings.CutPrefix(name, modelPrefix)
	rank, err := strconv.Atoi(digits)
	return rank, ok && err == nil && rank >= 1 && rank <= Models && digits == strconv.Itoa(rank)
}

// modelNames are model1 to model20.
func modelNames() (names []string) {
	for r := range Models {
		names = append(names, fmt.Sprint(modelPrefix, r+1))
	}
	return names
}

// modelDay is the day of the model of a rank. Sessions begin as a Poisson process along the
// workday, and the requests of all that are open at a time mix.
func modelDay(rank int, scale float64, seed uint64) Requests {
	return func(yield func(Request, error) bool) {
		r, sizes := Stream(seed, fmt.Sprint(modelPrefix, rank)), chatLengths()
		var open arrivals
		for begin := range sessions(r, rank, scale) {
			for open.due(begin) {
				if !yield(open.pop(), nil) {
					return
				}
			}
			for at := begin; ; at += time.Duration(r.ExpFloat64() * float64(thinking)) {
				q := sizes.draw(r, point{})
				q.Arrival = at
				open.push(q)
				if r.Float64() < 1/sessionRequests {
					break
				}
			}
		}
		for len(open.heap) > 0 {
			if !yield(open.pop(), nil) {
				return
			}
		}
	}
}

// sessions are the times at which they begin.
func sessions(r *rand.Rand, rank int, scale float64) func(yield func(time.Duration) bool) {
	return func(yield func(time.Duration) bool) {
		weights, all := workday(), 0.0
		for _, w := range weights {
			all += w
		}
		day := dayRequests * share(rank) * scale / sessionRequests
		for h, w := range weights {
			perHour := day * w / all
			if perHour == 0 {
				continue
			}
			for at := r.ExpFloat64() / perHour; at < 1; at += r.ExpFloat64() / perHour {
				if !yield(time.Duration((float64(h) + at) * float64(time.Hour))) {
					return
				}
			}
		}
	}
}
