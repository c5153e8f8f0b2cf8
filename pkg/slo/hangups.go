package slo

// hangUps is which requests' clients hung up, and after how much of the answer.
type hangUps struct {
	// share is the share of these requests, 0 while nearly all finish. whole is the tokens of an answer
	// that is not cut, cut the mean tokens of one that is; both are 0 without a share.
	share, whole, cut float64
}

// at is the tokens of the answer that is shorter than all but a share of the cut ones: they are spread
// evenly around their mean, as widely as answers allow.
func (h hangUps) at(share float64) float64 {
	return h.cut + min(h.cut, h.whole-h.cut)*(2*share-1)
}
