package slo

// kvBackoff learns the share of the KV cache to plan with: less while most pods
// preempt requests.
type kvBackoff struct {
	// Share is at most 1.
	Share float64 `json:"share"`
}

func (k *kvBackoff) observe(b *bin) {
	if len(b.samples) == 0 {
		return // what is not known has not recovered
	}
	preempting := 0
	for _, d := range b.samples {
		if d.preempted > 0 {
			preempting++
		}
	}
	if preempting*2 > len(b.samples) {
		k.Share = max(k.Share*kvBackoffCut, minKVShare)
	} else {
		k.Share = min(k.Share*kvBackoffRecovery, 1)
	}
}

func (k *kvBackoff) estimate() float64 { return k.Share }

func (k *kvBackoff) valid() bool { return k.Share >= minKVShare && k.Share <= 1 }
