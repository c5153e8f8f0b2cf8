package slo

// request is the mean request of a revision.
type request struct {
	// Prompt and Output are tokens.
	Prompt float64 `json:"prompt"`
	Output float64 `json:"output"`
	// Computed is the share of the prompt's tokens that the prefix cache did not have.
	Computed float64 `json:"computed"`
}

// context is the mean number of tokens that a request holds while it is decoded.
func (r request) context() float64 { return r.Prompt + r.Output/2 }

func (r request) valid() bool {
	return r.Prompt >= 0 && r.Prompt <= maxTokens && r.Output >= 0 && r.Output <= maxTokens && r.Computed > 0 &&
		r.Computed <= 1
}
