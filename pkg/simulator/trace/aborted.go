package trace

// Aborted lets the clients of a share of the requests, 0..1, hang up: each at a token that is drawn
// evenly from the first part of its answer, within (0..1; 0 is the first token), the last one
// excepted. Output is then the tokens up to the hang-up, so that all readers of the requests, the oracle
// included, know the work that is left. Which requests they are depends on the seed alone.
func Aborted(requests Requests, share, within float64, seed uint64) Requests {
	if share <= 0 {
		return requests
	}
	return func(yield func(Request, error) bool) {
		draw := Stream(seed, "abort")
		for q, err := range requests {
			if hangsUp, at := draw.Float64() < share, draw.Float64(); err == nil && hangsUp {
				q.HangsUp = true
				if q.Output > 1 {
					q.Output = 1 + int(at*within*float64(q.Output-1))
				}
			}
			if !yield(q, err) {
				return
			}
		}
	}
}
