package decider

// This file holds the numbers of the rules that somebody chose: value, unit, origin, and
// what happened at other values ("half and twice" as in pkg/slo/tuning.go, which has
// those of the policy slo).
// Limits of what is believable stand where they are used.

import "time"

// Rules of the want of slo.
const (
	// minHoldDown is the minimum time for which the largest want is kept. Values from 3 to 10 min cost
	// within 1 % of each other (docs/slo-policy.md). Origin: the study has 10 min, and 5 where cost comes
	// first (2.3). Half and twice: matters (2m30s: other bursts -0.3 pt, +3.9 %; 10m0s: other bursts +0.1
	// pt, +42.2 %).
	minHoldDown = 5 * time.Minute
	// holdDownStartups is the same in startup times: a replica that was given up too early is back a startup
	// time later. Origin: not measured. Half and twice: matters (1: slow starts +0.0 pt, -13.6 %; 4: slow
	// starts +4.3 pt, +16.6 %).
	holdDownStartups = 2
	// rounding is the fraction of a replica that is rounded down. Origin: the study (2.3 F). Half and
	// twice: matters (0.025: hang-ups +0.0 pt, +4.8 %; 0.1: slow starts -0.1 pt, +17.3 %).
	rounding = 0.05
	// The want stops growing when more pods than minUnschedulable, and more than unschedulableShare of
	// the Ready pods, find no node. Origin: both the study (2.4). Half and twice of each: no effect.
	minUnschedulable, unschedulableShare = 4, 0.25
)

// Rules of the count.
const (
	// lostFor is how many stable windows a lost pod keeps its replica: one until another pod has taken
	// its place and clients have come back, one more until no average has that time in it. Origin: with
	// one, a pod killed under steady load still lowered the count from 3 to 2 (fault run, window 10 s).
	// Half and twice: matters (1: failures -1.5 pt, -1.9 %; 4: failures +2.5 pt, +3.5 %).
	lostFor = 2
	// maxBlind is how long a revision stays at zero without knowing whether requests wait. Origin:
	// longer than an activator takes to be replaced. Half and twice: no effect.
	maxBlind = 30 * time.Second
)

// The growth that engines alone may ask for: maxJumpFactor replicas for each Ready pod, and
// maxJumpExtra more. Pods become Ready a startup time after they are created, so this is the growth in
// one startup time. Origin: the default scale-up policy of a HorizontalPodAutoscaler, which adds as
// many pods as there are, or 4 if that is more, per 15 s. On a simulated burst the limit costs
// num_requests_waiting=5 60.2 to 54.6 % within the objective, 3 seeds, not significant. Half and twice
// of each: small effect.
const maxJumpFactor, maxJumpExtra = 2, 4

// The backlog, num_requests_waiting.
const (
	// backlogBin is the time between two readings of the counters. Origin: about the shortest in which
	// an engine with 8 slots and answers of a minute begins a request. Half and twice: matters (5s:
	// backlog -2.9 pt, -1.0 %; 20s: backlog noise +0.6 pt, +0.8 %).
	backlogBin = 10 * time.Second
	// maxBacklogBins is bins: readings that are further apart are not compared. Origin: the window of a
	// level of slo, a minute. Half and twice: no effect, for no cell has an outage of the readings. It
	// stays: after an outage the rates of before and after would be taken for those of now.
	maxBacklogBins = 6
	// queueOfTarget is the share of the target that waits in a pod with a queue, at least one request. A
	// pod with a shorter queue may be idle for a part of the bin: its rate is not its capacity. Origin: not
	// measured. Half and twice: matters (0.25: backlog +0.1 pt, +13.8 %; 1: backlog -0.1 pt, -5.0 %).
	queueOfTarget = 0.5
	// utilization is the share of its capacity that a replica is planned to use: at 1 a queue never
	// ends. Origin: rise.csv at four startup times; 0.9 kept 94.8 % of the requests within the
	// objective at the worst of them, 0.8 99.8 %, 0.7 the same for 3 % more. Half and twice: matters
	// (0.9: backlog -2.2 pt, -7.8 %; 0.6: backlog noise +8.0 pt, +8.2 %).
	utilization = 0.8
	// capacityWeight is the weight of a new measurement of the capacity: three bins (30 s) take two
	// thirds of a change. Origin: not measured. Half and twice: matters (0.15: backlog noise +0.1 pt,
	// -3.1 %; 0.6: backlog -3.1 pt, +10.9 %).
	capacityWeight = 0.3
	// capacityRegain is how much the capacity grows per minute while no queue measures it: 0.2 % is 13
	// % in an hour. If that is too much, a queue measures it again. Origin: with 0.5 % a flat load of
	// just one replica went from 1 to 2 and back nine times in two hours. Half and twice: matters
	// (0.004: backlog -0.1 pt, -9.1 %).
	capacityRegain = 0.002
	// backlogPods bounds the pods whose counters are remembered; the mean of these stands for
	// the others. Not tuned.
	backlogPods = 64
	// giveBackShare is the share of the replicas that goes per stable window. Origin: not measured.
	// Half and twice: matters (0.2: backlog noise +0.3 pt, -7.1 %).
	giveBackShare = 0.1
	// maxDemandGrowth bounds the demand of one bin by the requests that are served, or come, times this
	// factor: one engine may report any number of waiting requests. Origin: not measured. Half and
	// twice: small effect.
	maxDemandGrowth = 2
)

// Percentiles of latencies.
const (
	// latencyGrowth is the most that one percentile grows a revision by: near saturation a latency is
	// many times its target for the want of a few pods. Origin: not measured. Half and twice: no
	// effect, for no cell scales on a latency.
	latencyGrowth = 2
	// latencyStep is the part of the replicas that one stable window gives back. Origin: not measured.
	// Half and twice: no effect, for no cell scales on a latency.
	latencyStep = 10
)
