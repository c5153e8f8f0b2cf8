package slo

import "time"

// bin is what a learner observes: the bin of arrivals that ended last, what the
// pods did in it, and the estimates of the learners that observed it before.
type bin struct {
	objective Objective
	// end is the time of the decision that closed the bin.
	end time.Time
	// replicas, ready, unschedulable and queued are those of the Input at that time.
	replicas, ready, unschedulable int32
	queued                         Reading
	// arrivals is the requests of each bin that ended since the last call, oldest
	// first; unknownCount where they are not known.
	arrivals []float32
	// queuedGain is by how many HTTP requests the queues outside of the engines grew. queuedBefore is the engine
	// requests in them when the bin before ended; queued, too, is engine requests once these are counted.
	queuedGain, queuedBefore float64
	// wakes is set where what waited for the first Ready pod reached it in these bins, or may have.
	wakes bool
	// samples is what the pods did; followed are the pods whose counters are followed.
	samples  []sample
	followed []float64
	// frozen is the pods whose counters stand still although requests run; they have no sample.
	frozen int
	// startups is the seconds from creation to Ready of pods that became Ready.
	startups []float64

	// ranks is the data-parallel ranks of a pod, at least 1.
	ranks int
	// effectiveRanks is the ranks that a pod's capacity is worth.
	effectiveRanks float64
	// requestRatio is the engine requests per HTTP request, NaN when not known.
	requestRatio float64
	// others is set while some HTTP requests are known to reach no engine.
	others bool
	// hangUps is the requests whose clients hung up, the zero value while those are few.
	hangUps hangUps
	// hopeless is the share of requests that are late without any queue.
	hopeless float64
	// byPhases is set where first tokens are judged by the time in the queue.
	byPhases bool
	// ttft is the bound on the time to the first token, in seconds.
	ttft float64
	// request, startupTime, limits, replica and capacity are estimates; startupTime is seconds.
	request     request
	startupTime float64
	replica     replica
	limits      limits
	capacity    capacity
	// promised is the requests per second of a replica without the limits that were learned.
	promised float64
	// unloaded are the latencies of the capacity without load, 0 until steps are learned, and
	// attainment the share of recent requests that met the objective before this bin.
	unloaded   unloaded
	attainment Reading
	// lastArrivals is the requests of the bin that ended last, also where no bin ended now.
	lastArrivals float64
}

func newBin(o Objective, in Input, arrivals []float32) *bin {
	return &bin{
		objective: o, end: in.Time, replicas: in.Replicas, ready: in.Ready, unschedulable: in.Unschedulable,
		queued: in.Queued, arrivals: arrivals,
	}
}

// complete makes what the engines report comparable: one gap for a token, and an estimate for
// what they do not report.
func (b *bin) complete(tokensPerOutput float64, mean request) {
	for i, d := range b.samples {
		d = d.perToken(tokensPerOutput)
		d.seconds = d.elapsed(d.seconds)
		b.samples[i] = d.completed(mean)
	}
}

// begunPerSecond is the engine requests that the Ready pods began, per second; those that are not followed or not
// read count as the mean of the others.
func (b *bin) begunPerSecond() (perSecond float64) {
	for _, d := range b.samples {
		perSecond += max(d.begun(), 0) * d.ranks / max(d.seconds, minSeconds)
	}
	return perSecond * max(float64(b.ready)/float64(max(len(b.samples), 1)), 1)
}

// learns reports whether engines are learned from, which an ablation can switch off.
func (b *bin) learns() bool { return b.objective.Has(FeatureLearning) }

// reachesTTFT reports whether the bound on the first token can be met. It cannot when the
// mean request takes longer without load, and most requests miss the objective: of lengths that
// vary much, most may meet what the mean does not. Then a late first token says nothing
// of the load that it came under.
func (b *bin) reachesTTFT() bool {
	return !(b.unloaded.ttft >= b.ttft && float64(b.attainment) < fewMeet)
}
