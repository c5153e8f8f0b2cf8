package trace

import (
	"math"
	"math/rand/v2"
)

// lengths is a distribution of requests: tokens in, tokens out and a tenant.
type lengths struct {
	input, output quantiles
	tenants       int
}

// draw returns a request whose mean lengths are those of a point, where it has them.
func (l *lengths) draw(r *rand.Rand, p point) Request {
	q := Request{Input: l.input.draw(r, p.input), Output: l.output.draw(r, p.output)}
	if l.tenants > 1 {
		q.Tenant = int32(r.IntN(l.tenants))
	}
	return q
}

// quantiles is a distribution by its values at the probabilities below, with
// straight lines in between.
type quantiles [18]float64

func probabilities() [18]float64 {
	return [18]float64{0, .01, .025, .05, .1, .2, .3, .4, .5, .6, .7, .8, .9, .95, .975, .99, .999, 1}
}

func (d *quantiles) mean() (mean float64) {
	p := probabilities()
	for i := range len(d) - 1 {
		mean += (p[i+1] - p[i]) * (d[i] + d[i+1]) / 2
	}
	return mean
}

// draw returns a number of tokens, at least 1. A mean above 0 stretches the distribution.
func (d *quantiles) draw(r *rand.Rand, mean float64) int {
	p, u := probabilities(), r.Float64()
	i := 1
	for u > p[i] {
		i++
	}
	x := d[i-1] + (d[i]-d[i-1])*(u-p[i-1])/(p[i]-p[i-1])
	if mean > 0 {
		x *= mean / d.mean()
	}
	return int(min(max(math.Round(x), 1), maxTokens))
}

// chatLengths are those of conversations: Azure 2023, CC-BY-4.0 (Splitwise,
// ISCA'24), mean 1155 in and 211 out.
func chatLengths() lengths {
	return lengths{
		input:  quantiles{2, 29, 120, 181, 207, 387, 403, 703, 1020, 1071, 1130, 1315, 2734, 4083, 4092, 4142, 6122, 14050},
		output: quantiles{7, 16, 28, 41, 54, 77, 91, 103, 129, 177, 384, 400, 424, 451, 522, 601, 954, 1000},
	}
}

// codeLengths are those of code completion, of the same source: mean 2048 in and 28 out.
func codeLengths() lengths {
	return lengths{
		input:  quantiles{3, 17, 44, 75, 147, 385, 770, 1075, 1469, 1909, 2433, 3192, 5186, 7302, 7435, 7436, 7437, 7437},
		output: quantiles{6, 6, 6, 6, 7, 8, 9, 11, 13, 16, 20, 29, 55, 90, 145, 249, 824, 1899},
	}
}

// longLengths are those of Mooncake's conversations, Apache-2.0 (FAST'25):
// mean 12,035 in and 343 out.
func longLengths() lengths {
	return lengths{
		input: quantiles{891, 894, 896, 901, 964, 1662, 3263, 4993, 6909, 9570, 13196, 17869, 27367, 39549, 58966,
			85399, 121298, 126195},
		output: quantiles{1, 3, 3, 10, 24, 100, 213, 291, 350, 399, 447, 504, 597, 698, 835, 1115, 2000, 2000},
	}
}
