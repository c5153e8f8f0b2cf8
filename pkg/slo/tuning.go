package slo

// This file holds every number of the policy: value, unit, origin, and what happened
// at other values. Figures are share within the objective at GPU-hours, A100 with an
// 8B model, one seed unless said.
//
// "Half and twice" is what the last run of make bench-policy ARGS=-sensitivity gave on its
// short cells (docs/slo-policy.md, "Every number", has them, and all figures). No effect: the
// same figures in every cell. Small effect: below 0.3 points and 3 % of the GPU-hours in every
// cell. Matters: more in at least one; the value is named with the cell that changed most.
// The document marks what was measured on an earlier policy.
//
// "Origin" says where a value comes from. "The study" is the comparison of published policies,
// traces and engines with which the project began; its section is in brackets. It is not in this
// repository. "Origin: not measured" is a value that somebody chose without a comparison. What other
// values do was then measured by half and twice alone.
//
// Elsewhere in the package stand only numbers that are no choice: a half in "more than half of the pods" or in
// the middle of two ends; a tiny divisor that keeps a division defined; and, in the methods valid, bounds that no
// memory reaches unless the memory is broken.

import "time"

// Plausible readings. A reading above its limit is a broken metrics endpoint; the limits
// are well beyond any engine and not tuned.
const (
	// MaxTotal is the largest believable counter.
	MaxTotal = 1e15
	// MaxRequests is the most believable requests in one engine.
	MaxRequests = 100_000
	// MaxDemand is the most believable requests, or requests per second, of a revision.
	MaxDemand = 1e9
	// maxGain is more than any counter gains between two readings.
	maxGain = 1e10
	// maxTokens is the most believable tokens of a mean request.
	maxTokens = 1e7
	// maxStep is seconds, maxStepPrompt tokens: beyond, a sample says nothing of a step.
	maxStep, maxStepPrompt = 100, 1e6
	// unknownCount marks a bin or a counter that is not known.
	unknownCount = -1
	// minWork is the least seconds of engine of a request; it keeps divisions defined.
	minWork = 1e-6
)

// The objective, where the user states nothing.
const (
	// DefaultTTFT, DefaultITL and DefaultGoal, a share, are the objective itself: somebody who reads along
	// waits that long and reads no faster. Not tuned.
	DefaultTTFT, DefaultITL, DefaultGoal = 2 * time.Second, 100 * time.Millisecond, 0.99
	// defaultStartupTime holds until a startup was seen. Origin: pods with a 16 GB model took 1 to 3
	// min in the reports that the project began from. Half and twice: matters (1m0s: slow starts +4.3
	// pt, -2.0 %; 4m0s: slow starts -0.0 pt, +17.7 %).
	defaultStartupTime = 2 * time.Minute
	// defaultConcurrency is requests. Origin: --max-num-seqs of vLLM V1 on an 80 GB GPU. Half and twice:
	// matters (128: other bursts +0.0 pt, -3.7 %).
	defaultConcurrency = 256
	// Startup times are believed within these. Origin: not measured; a time outside is a clock that was
	// set. Half and twice of each: no effect.
	minStartupTime, maxStartupTime = time.Second, time.Hour
	// maxLatency is the longest latency that somebody asks for. Not tuned.
	maxLatency = time.Hour
	// MinMargin and MaxMargin are factors: an Objective's Margin lies between them. A margin beyond is
	// probably a percentage. Not tuned.
	MinMargin, MaxMargin = 0.1, 10
	// minFallbackConcurrency is requests in flight. Origin: the least that Knative accepts as a target.
	// Half and twice: no effect.
	minFallbackConcurrency = 0.01
)

// The prior of the step time, in seconds: an A100 80GB with an 8B model in bf16
// (origin: the study, 4.2); what the counters show replaces it within minutes. Without learning
// the step time an RTX PRO 6000 needed 33 to 41 % more GPU-hours.
const (
	// Half and twice: priorBase matters (0.0055: other bursts +0.6 pt, -22.7 %; 0.022: slow starts +0.0 pt,
	// +7.0 %); priorSequence matters (6e-05: other bursts -0.0 pt, -12.5 %).
	priorBase, priorSequence = 0.011, 30e-6
	// Half and twice: priorKVToken matters (4.5e-08: slow starts +0.1 pt, +5.9 %; 1.8e-07: other bursts
	// +0.4 pt, +0.7 %); priorPromptToken matters (3.5e-05: other bursts -0.5 pt, -29.6 %; 0.00014: other
	// bursts -0.1 pt, +4.2 %).
	priorKVToken, priorPromptToken = 0.09e-6, 70e-6
)

// The times of the policy.
const (
	// minHistory is the least history, and otherwise a startup time, before the count may fall: the
	// window of a level.
	minHistory = levelBins * BinWidth
	// drain is the time within which what waits should have begun. Without any backlog the tables did
	// not change (ADR 5). Origin: the study (2.3 C), the window of a level. Half and twice: matters
	// (30s: slow starts +0.1 pt, +4.4 %; 2m0s: failures -1.0 pt, -1.6 %).
	drain = time.Minute
	// outage is a silence after which a memory is no longer trusted to lower. Origin: not measured.
	// Half and twice: no effect.
	outage = 2 * time.Minute
)

// Arrivals.
const (
	// BinWidth is the width of a bin of arrivals, binSeconds the same in seconds. Origin: long enough for
	// some tens of requests per pod, short beside a startup. Half and twice: matters (5s: slow starts +4.6
	// pt, +2.7 %; 20s: failures -3.2 pt, -11.1 %).
	BinWidth   = 10 * time.Second
	binSeconds = float64(BinWidth / time.Second)
	// keptBins is an hour of bins. Origin: load that recurs within an hour is replayed. Half and twice:
	// matters (180: failures -2.4 pt, +0.5 %; 720: batches +0.1 pt, +17.4 %).
	keptBins = 360
	// maxGap is bins: a silence longer than an outage is not spread over its bins, which are then
	// unknown.
	maxGap = int64(outage / BinWidth)
	// levelBins is bins: the level is a mean over a minute. Origin: 60 to 120 s were best of the
	// forecasts compared in the study (3). Half and twice: matters (3: failures +2.3 pt, +5.2 %; 12:
	// failures -3.8 pt, -2.6 %).
	levelBins = 6
	// shortLevelBins is bins: the level is drawn towards a mean over these when that is higher. Origin:
	// the study takes the mean of one and a half minute and half a minute (2.3 B). Half and twice:
	// matters (2: small cache +0.0 pt, +3.6 %; 6: failures +2.0 pt, +0.9 %).
	shortLevelBins = 3
	// trendBins is bins: ups and downs are measured against ten minutes. Origin: not measured. Half and
	// twice: small effect.
	trendBins = 60
	// firstTrend is the first bin with enough before it to show a trend. Origin: levelBins - 1.
	firstTrend = levelBins - 1
	// wakingBins is bins. Requests leave the queue in front in the bin in which the first pod is Ready, and
	// show in its engine when the engine is read the next time. Not tuned.
	wakingBins = 2
)

// Growth and peaks of the arrivals.
const (
	// growthBins is bins: growth is learned from half an hour. Origin: the study (2.3 B). Half and
	// twice: matters (90: failures +2.2 pt, +6.7 %).
	growthBins = 180
	// minGrowthBins is bins, before which earlyGrowth, a factor, holds. Origin: both the study (2.3 B).
	// Half and twice: minGrowthBins matters (30: failures +0.8 pt, -1.1 %; 120: failures -2.3 pt, -1.9 %);
	// earlyGrowth matters (1.05: other bursts -0.3 pt, -0.6 %; 1.2: slow starts +4.3 pt, +4.3 %).
	minGrowthBins, earlyGrowth = 60, 1.1
	// maxGrowth is a factor: what grew more is taken to have grown so much. Origin: the study (2.3 B).
	// Half and twice: matters (1.25: failures -2.3 pt, -1.9 %; 2: slow starts +3.4 pt, +23.6 %).
	maxGrowth = 1.5
	// Levels are similar within a factor of similarLevelRatio; minSimilarLevels of them suffice. Origin:
	// not measured. Half and twice: similarLevelRatio matters (1.2: rise +0.0 pt, +11.3 %; 1.8: failures
	// +0.2 pt, -3.4 %); minSimilarLevels matters (10: failures -0.8 pt, -2.4 %; 40: failures +2.9 pt, +4.5
	// %).
	similarLevelRatio, minSimilarLevels = 1.4, 20
	// A peak is the largest bin of peakBins (five minutes); an hour has keptPeaks. Origin: not
	// measured. Half and twice: matters (15: slow starts +4.1 pt, +14.0 %; 60: failures -2.1 pt, +1.4
	// %).
	peakBins  = 30
	keptPeaks = keptBins / peakBins
	// unseenDeviations is the standard deviations that a peak of a history not yet seen may lie above the
	// mean, maxUnseenPeaks the largest factor on the peaks seen. Origin: not measured. Half and twice:
	// unseenDeviations matters (2: other bursts -0.3 pt, -21.3 %; 6: slow starts +6.1 pt, +36.9 %);
	// maxUnseenPeaks matters (1: other bursts -0.6 pt, -45.1 %).
	unseenDeviations, maxUnseenPeaks = 3, 2
)

// Samples of pods.
const (
	// maxFollowedPods bounds the pods whose counters are followed; the rest of a larger
	// fleet is taken to be similar. Origin: the state stays below 16 KiB. Not tuned.
	maxFollowedPods = 48
	// minAboveUpper is a share: the least part of what lies above a bucket's lower edge that is taken to
	// lie above its upper edge, too. Origin: not measured; that late requests fall off within a bucket is
	// (ADR 5: linear cost 2 to 38 % more GPUs). Half and twice: small effect.
	minAboveUpper = 0.02
	// maxTokensPerGap is the most tokens that one gap brings, with drafts that are all accepted.
	// Origin: speculative decoding proposes 3 to 8 tokens. Half and twice: no effect.
	maxTokensPerGap = 10
	// severalTokens is tokens by outputs: less is rounding. Origin: not measured. Half and twice: no
	// effect.
	severalTokens = 1.1
	// minSeconds is the least time between two readings; it keeps rates defined. Not tuned.
	minSeconds = 0.1
	// minUncounted is a number of requests: a pod whose counters stand still while engines would have counted
	// more of those that run is frozen. Origin: an engine that counts requests at random times misses
	// five in a row with a probability of exp(-5). Half and twice: no effect.
	minUncounted = 5.0
	// assumedCount is the seconds in which an engine counts a request that runs, where its latencies
	// are not known. Origin: not measured. Half and twice: no effect.
	assumedCount = 60.0
	// maxRanks is the most believable ranks of a pod. Not tuned.
	maxRanks = 1024
	// equalRanks is how many times the requests of the mean rank the fullest one may be given while the ranks
	// of a sample count as equally loaded. Origin: not measured. Half and twice: no effect.
	equalRanks = 1.1
	// tokenMoment is the mean square of the tokens of a request, in units of the square of their mean.
	// Origin: 1.9 in the prompts of both Azure traces of 2023. Half and twice: small effect.
	tokenMoment = 2.0
	// fewRunning is the requests of a rank below which its share of the pod's requests says nothing of a full
	// rank. Origin: not measured. Half and twice: small effect.
	fewRunning = 4.0
	// shareFade is what a bin leaves of the tokens that ranks were given before: half in six minutes.
	// Origin: not measured. Half and twice: small effect.
	shareFade = 0.98
	// alwaysBusy is the mean requests running from which an engine has no idle moment, and maxDrift how
	// many times the time between two readings may be that between the two pages: pages are read at
	// their own times, and some readings fail. Origin: not measured. Half and twice: alwaysBusy matters
	// (2: failures -3.8 pt, -2.0 %; 8: failures -0.9 pt, -0.7 %); maxDrift small effect.
	alwaysBusy, maxDrift = 4, 2.5
	// sameBound is a share: a TTFT bound that depends on the mean prompt, and the bound on gaps of several
	// tokens, move when they would change by more than that. Origin: not measured. Half and twice: small effect.
	sameBound = 0.2
)

// Phases of requests: which time in the queue makes a request late.
const (
	// minPhases is the requests of the histograms before they are believed. Origin: not measured. Half
	// and twice: small effect.
	minPhases = 50
	// phaseRanks is how many lengths of prompts are distinguished. Origin: not measured; one is 0.5 %
	// of the requests, half of what a goal of 99 % allows. Half and twice: no effect.
	phaseRanks = 200
	// samePhases is a share of requests: shares that move by less stay. Origin: not measured. Half and
	// twice: small effect.
	samePhases = 0.05
	// maxBuckets is the most buckets of a histogram that is used so. Not tuned.
	maxBuckets = 64
)

// Startup times.
const (
	// keptStartups is how many startups are remembered. Origin: the study (2.3, lead time). Half and
	// twice: matters (10: failures +1.4 pt, +0.4 %).
	keptStartups = 20
	// The 90th percentile of up to fewStartups is the slowest, which may have waited for a node: it
	// counts up to maxSlowest times the median. Origin: not measured. Half and twice: fewStartups no
	// effect; maxSlowest matters (1: azure conv -0.3 pt, -3.3 %).
	fewStartups, maxSlowest = 10, 2
	// startupTenths of ten startups are no longer than the startup time that is planned with. Origin:
	// the study plans with the 90th percentile (2.3 G). Half and twice: matters (5: slow starts +0.0
	// pt, -8.3 %).
	startupTenths = 9
)

// The mean request.
const (
	// assumedPrompt and assumedOutput are tokens before any request was seen. Origin: Azure's conversations
	// have 1,155 and 211. Half and twice: assumedPrompt matters (500: other bursts -0.3 pt, -0.6 %; 2000:
	// slow starts -1.1 pt, +15.2 %); assumedOutput matters (100: other bursts -0.2 pt, +3.5 %; 400:
	// failures -1.1 pt, -1.8 %).
	assumedPrompt, assumedOutput = 1000, 200
	// assumedRequests is how many requests the assumption is worth. Origin: not measured; the study waits
	// for 20 (2.3 A). Half and twice: matters (10: long prompts +0.1 pt, +4.0 %).
	assumedRequests = 5
	// finishedThreshold is the share of the requests that leave engines from which those that finished stand for
	// all. Origin: not measured. Half and twice: matters (0.8: hang-ups +0.0 pt, +5.6 %).
	finishedThreshold = 0.9
	// hangUpPoints is the lengths, evenly spread over an answer, at which clients are taken to hang up:
	// 12, 38, 62 and 88 % of it. Origin: more lengths see more of the very short answers, which miss at
	// any load. With 50 and 80 % of hang-ups conv x8 (means of 5 seeds) has 99.24 at 8.71 and 99.22 at
	// 8.84, diurnal (3 seeds, clean 93.0) 99.82 at 100.7 and 99.76 at 101.1; with 3 conv 99.27 at 8.73 and
	// 99.14 at 8.77; with 10 conv 99.24 at 8.72 and 99.38 at 9.10, diurnal 99.86 at 105.7 and 99.80 at
	// 107.8; when all were taken to get the mean length, conv 98.22 at 8.03 and 98.35 at 8.01. Half and
	// twice: small effect.
	hangUpPoints = 4
	// wholeError is a share: by how much of their spread the tokens of cut answers are uncertain where half
	// of the requests are cut. Origin: of 200 and 224 tokens 200 and 224 were learned. With 0.17 half of
	// the clients that hang up at the first token cost a rise 11.9 instead of 6.9 GPU-hours, a fifth within
	// the first tenth 8.7 instead of 10.2. Half and twice: matters (0.06: hang-ups +0.0 pt, +4.3 %).
	wholeError = 0.03
	// minFreeTime is the least share of an engine's time that prompts leave; it keeps a division
	// defined. Origin: not measured. Half and twice: no effect.
	minFreeTime = 0.1
	// maxIntervalError is a share: by how much the time between two readings of a pod may differ from
	// that of the bins whose requests are counted. Origin: not measured. Half and twice: no effect.
	maxIntervalError = 0.5
	// minRatioBins and minRatioRequests are bins and requests before the engine requests per HTTP request
	// are believed, sameRatio the share by which they may differ and count as the same, maxRatio the most
	// prompts of one HTTP request. Origin: not measured. Half and twice: minRatioBins matters (10: other
	// bursts -0.2 pt, -23.6 %); minRatioRequests matters (200: batches -0.0 pt, -7.9 %); sameRatio matters
	// (0.05: failures -0.5 pt, -2.2 %; 0.2: failures -2.0 pt, -2.1 %); maxRatio no effect.
	minRatioBins, minRatioRequests, sameRatio, maxRatio = 5, 100, 0.1, 1e4
	// fewOthers is the share of the HTTP requests that may seem to reach no engine and count as none: of
	// clean loads it is up to 2.4 %. More count for keptBins, once a faded number of minOthersBins bins
	// without a queue was seen; keptEngineBins is how many bins are then corrected. Origin: 50 others/s for
	// 20 s in five minutes (means of 3 seeds): rise 8.3 GPU-hours, conv x8 9.0; without keptEngineBins conv
	// 10.4, without any of them 12.0 and 12.7. Half and twice: fewOthers no effect, for the others of the
	// cells are many; below it clean loads would count as if they had some. minOthersBins matters (15:
	// other bursts -0.3 pt, +2.4 %; 60: other bursts +0.1 pt, +22.6 %); keptEngineBins matters (30: other
	// bursts +0.1 pt, +22.6 %).
	fewOthers, minOthersBins, keptEngineBins = 0.03, 30, 60
	// lengthsFade is per bin: half of the weight is of the last 10 minutes. Origin: not measured; the study
	// has half in 5 minutes (2.3 A). Half and twice: matters (0.99425: failures -1.0 pt, -0.8 %; 0.977:
	// other bursts +0.0 pt, +12.3 %).
	lengthsFade = 0.9885
	// minComputed is the least share of a prompt that is computed: its last block. Origin: not
	// measured. Half and twice: no effect.
	minComputed = 0.02
)

// The regression of step time.
const (
	// regressionFade is per bin: half of the weight is of the last 12 minutes. Origin: the study (2.3
	// A). Half and twice: matters (0.995: slow starts -0.0 pt, +17.4 %; 0.98: failures -0.4 pt, -0.1
	// %).
	regressionFade = 0.99
	// wholeSampleGaps is the tokens that make a whole sample, minGaps those that make one at all.
	// Origin: not measured. Half and twice: wholeSampleGaps matters (500: failures +0.6 pt, -1.4 %;
	// 2000: failures -0.4 pt, -0.1 %); minGaps matters (40: failures -1.1 pt, -1.8 %).
	wholeSampleGaps, minGaps = 1000, 20
	// priorSamples is the weight of the prior, in samples. Origin: not measured; the study has 3 (2.3
	// A). Half and twice: matters (1: slow starts -0.1 pt, +17.3 %).
	priorSamples = 2
	// ridgeDivisor makes of priorSamples a ridge: the features of a sample are about 1 in sum, and most
	// of that is the base. Origin: not measured. Half and twice: matters (60: slow starts -0.1 pt,
	// +17.3 %).
	ridgeDivisor = 30
	// Coefficients are kept between minFactor and maxFactor times the prior's. Origin: engines from an
	// H100 with an 8B model to a CPU. Half and twice: no effect.
	maxFactor = 20
	minFactor = 1.0 / maxFactor
	// descents is rounds of coordinate descent: enough for coefficients that are correlated
	// by 0.97. TestStepTime_againstAClosedForm holds it. Not tuned.
	descents = 100
	// maxClampedBins is bins, five minutes, after which a regression at its limit begins anew. Origin:
	// the study (2.4). Half and twice: no effect.
	maxClampedBins = 30
)

// What a replica is loaded with at most.
const (
	// maxComputeLoad and maxKVLoad are shares. Origin: both the study (2.3 A). Half and twice:
	// maxComputeLoad matters (0.985: slow starts -0.0 pt, +16.5 %; 0.94: failures +0.6 pt, -1.4 %);
	// maxKVLoad matters (0.8: small cache +0.0 pt, +10.9 %).
	maxComputeLoad, maxKVLoad = 0.97, 0.9
	// maxHidden is a factor: how much more than a sum of its parts an engine may do whose prompts hide
	// behind the reading of the weights. Origin: L40S, 1 and 1.15: conv x8 12.5 and 12.1, ramp 7.10 and
	// 6.56, Mooncake 83.8 and 81.0 GPU-hours. Without a limit an engine that does take the sum, with a
	// base near the ITL objective, was thought to do three times as much. Half and twice: matters (1.075:
	// 16 at once +0.1 pt, +20.5 %; 1.3: small cache -0.0 pt, -5.1 %).
	maxHidden = 1.15
	// minComputeLoad is the share of compute where the ITL objective leaves less. Origin: not measured.
	// Half and twice: no effect.
	minComputeLoad = 0.1
	// minConcurrencyTarget is the least requests in a replica that are reported. Not tuned.
	minConcurrencyTarget = 0.1
)

// The limit of concurrent requests: how an engine that runs as many requests as its
// --max-num-seqs allows is distinguished from one that is short of something else.
// Without this learner 95.6 to 98.2 % on Azure 2024 with limits of 16 to 64, with it
// 99.99 to 100 %.
const (
	// roomyKV is the percent of the KV cache in use below which the cache does not hold requests back,
	// if one more like those that run would fit within fullKV, too. Origin: not measured. Half and
	// twice of each: no effect.
	roomyKV, fullKV = 85, 95
	// roomyStep is the prompt tokens of a mean step below which the token budget does not hold requests
	// back. Origin: half of vLLM's smallest default, 2,048. Half and twice: no effect.
	roomyStep = 1000
	// limitBins is the bins in a row after which the limit is believed. Origin: not measured. Half and
	// twice: no effect.
	limitBins = 3
)

// Queue evidence.
const (
	// queueFade is per bin: half of what was done goes in a minute. Origin: not measured. Half and
	// twice: no effect.
	queueFade = 0.89
	// queueBins is nearly three bins in a row with a queue, before a capacity is refuted. Origin: not
	// measured. Half and twice: no effect.
	queueBins = 2.5
	// persistentQueue is the seconds that a queue takes to go, from which it persists. Origin: not
	// measured. Half and twice: no effect.
	persistentQueue = 2.5
	// A capacity is refuted when less than refutedThreshold of it was done under a queue, and stays so
	// below upheldThreshold. Origin: not measured; two thirds, and higher so that it does not
	// alternate. What pods begin under a queue is not taken for less than refutedThreshold of the promise
	// either. Half and twice of each: no effect.
	refutedThreshold, upheldThreshold = 0.67, 0.8
	// maxShareStep is what a bin leaves of the share at least: slow disks and throttles pass. Origin:
	// with 0.8 a fleet of 7 that hung for a minute asked for 19 replicas, without a limit for 205. Half
	// and twice: no effect.
	maxShareStep = 0.8
	// steadyShare is by how much what was done may change before the share follows. Origin: not
	// measured. Half and twice: no effect.
	steadyShare = 0.1
	// When replicas have been added no queue is left to learn from, so the share is believed for
	// minMemory bins (half an hour), and each time that this proves wrong for twice as long, up to
	// maxMemory (eight hours). Origin: not measured. Half and twice of each: no effect.
	minMemory, maxMemory = 180, 2880
	// minQueueShare and maxDone bound what a broken page can make of a capacity. Not tuned.
	minQueueShare, maxDone = 1e-3, 100
)

// Misses by load.
const (
	// The load of a replica is cut into steps of loadStep, up to 1.6. Origin: not measured. Half and twice:
	// matters (0.025: other bursts +8.6 pt, +53.3 %; 0.1: noise -0.1 pt, -30.2 %).
	loadStep = 0.05
	// loadSteps is how many there are. Origin: not measured. Half fails, for endLikelihood is beyond
	// it; twice: no effect.
	loadSteps = 32
	// Outcomes are kept in buckets outcomeStep (a share) wide, from minOutcomeShare on and at most
	// maxOutcomes. Origin: finer than loadStep at a load of 1. With 0.05 code x8 has 99.8 % at 58.0
	// instead of 99.7 % at 54.4 with one seed, and the same with two others. Half and twice:
	// outcomeStep matters (0.015: azure conv -0.3 pt, -4.4 %; 0.06: azure conv -0.3 pt, -4.3 %);
	// maxOutcomes no effect; minOutcomeShare no effect.
	outcomeStep, maxOutcomes, minOutcomeShare = 0.03, 200, 0.01
	// visitedFade is per bin: what was seen under a load gives way to what is seen under the same load now,
	// by half in half an hour. Elsewhere unvisitedFade: what went well is forgotten by half in four hours,
	// so that a quiet night does not forget the day; what went badly in half an hour still, so that it is
	// tried again. Origin: with four hours for both, pods that never became Ready cost 13 instead of 8
	// replicas for hours; with half an hour for both, a day cost 97.0 instead of 92.9 GPU-hours. Half and
	// twice: visitedFade matters (0.9981: failures -5.3 pt, -3.4 %; 0.9924: slow starts +4.3 pt, -2.1 %);
	// unvisitedFade small effect.
	visitedFade, unvisitedFade = 0.9962, 0.99952
	// episodeThreshold is the share of misses from which they are part of an episode. Origin: not
	// measured. Half and twice: small effect.
	episodeThreshold = 0.05
	// itlSpreadDivisor: requests' mean ITL is spread around the pod's by at least the objective divided
	// by this. Origin: not measured. Half and twice: no effect.
	itlSpreadDivisor = 40
	// tolerableQueue times the bound on the first token, a queue within the engine has lasted too long
	// whatever the histogram says. Origin: not measured. Half and twice: no effect.
	tolerableQueue = 2
	// normalSlope makes a logistic of the normal distribution (1.702 is exact to 1 %). Not tuned.
	normalSlope = 1.7
)

// The miss curve: floor + (1-floor)*logistic((load-centre)/width). The centre is where half
// of the requests miss; a load of 1 is what the capacity says that a replica sustains.
// The steepest width, 0.02, was 0.03 before: diurnal 97.0 to 92.9 GPU-hours together with
// unvisitedFade.
const (
	// Origin: the steepest is measured (above), the others are not measured. Half and twice: steepWidth
	// matters (0.01: slow starts +0.1 pt, -3.7 %; 0.04: failures -3.2 pt, -3.5 %); middleWidth matters
	// (0.03: other bursts -0.3 pt, -10.6 %; 0.12: slow starts +4.3 pt, -5.5 %); flatWidth matters (0.05:
	// failures -2.8 pt, -1.0 %; 0.2: long prompts +0.8 pt, +38.1 %).
	steepWidth, middleWidth, flatWidth = 0.02, 0.06, 0.1
	// Origin: not measured; from B on each is about four times the one before. Half and twice: floorA
	// matters (0.00025: failures -1.3 pt, -0.8 %; 0.001: failures +0.6 pt, -1.4 %); floorB matters (0.0025:
	// failures -1.6 pt, +0.6 %; 0.01: other bursts -0.0 pt, -15.7 %); floorC matters (0.01: failures -1.1
	// pt, -1.8 %); floorD matters (0.16: failures -1.1 pt, -1.8 %); floorE small effect.
	floorA, floorB, floorC, floorD, floorE = 0.0005, 0.005, 0.02, 0.08, 0.3
	// widths and floors are how many of them there are. Not tuned.
	widths, floors = 3, 5
	// Centres are in the middle of steps 6 to 20, loads of 0.325 to 1.025. Origin: with centres above
	// that the tenants' load had 96.4 % (goal 99). Half and twice: firstCentre matters (3: failures
	// +4.9 pt, +40.7 %; 12: failures -1.1 pt, -1.0 %); centres matters (8: 16 at once +0.1 pt, +207.4
	// %; 30: failures -1.1 pt, -1.0 %).
	firstCentre, centres = 6, 15
	// priorCentre and priorSpread, loads, are what is believed before anything was seen. Origin: a sharper
	// or wider prior was no better on the development cells. Half and twice: priorCentre matters (0.95:
	// other bursts -0.3 pt, -0.6 %; 0.8: noise +0.0 pt, -13.0 %); priorSpread matters (0.06: long prompts
	// -1.0 pt, -17.2 %; 0.24: slow starts +4.3 pt, +0.3 %).
	priorCentre, priorSpread = 0.9, 0.12
	// likelihoodWeight discounts each observed request: misses are correlated, so ten requests count as one
	// independent trial. Origin: not measured. Half and twice: matters (0.05: other bursts -0.0 pt, -13.9
	// %; 0.2: slow starts -0.1 pt, +16.8 %).
	likelihoodWeight = 0.1
	// floorPenalty and widthPenalty are the logarithm of how much rarer each higher floor and each greater
	// width is. Origin: not measured. Half and twice: floorPenalty matters (1.25: other bursts -0.0 pt,
	// -15.5 %; 2: failures -0.7 pt, -1.7 %); widthPenalty matters (0.15: hang-ups +0.0 pt, +4.5 %; 0.6:
	// failures -1.1 pt, -1.8 %).
	floorPenalty, widthPenalty = 1.5, 0.3
	// maxMiss is the largest share of misses that is thought possible; it keeps logarithms finite. Not tuned.
	maxMiss = 1 - 1e-6
	// reach is the most steps between a load and a centre.
	reach = firstCentre + centres - 1
	// endLikelihood is the first step, of loads from 1.15 on, that is left out: there all curves miss
	// nearly everything, so whatever was met would only speak for the flattest. Origin: with those
	// loads code x8 had 99.9 % at 59.3, without 99.5 % at 54.2. Half and twice: matters (12: slow
	// starts +4.4 pt, -6.5 %).
	endLikelihood = 23
	// minSeen is the faded number of requests that still say something. Origin: not measured. Half and
	// twice: no effect.
	minSeen = 0.1
	// minLogWeight is ln(1e-6): a curve worth less of the best is left out, which saves time. Not tuned.
	minLogWeight = -13.815510557964274
)

// The plan.
const (
	// plannedShare of the misses that the goal allows is planned for; the rest is for what no plan
	// foresees. Origin: 0.4 to 0.9 were tried on the development cells: none was better on all. Half and
	// twice: matters (0.85: slow starts -0.1 pt, +16.4 %; 0.4: slow starts +4.4 pt, +5.5 %).
	plannedShare = 0.7
	// shareAboveFloor of the planned share of misses is allowed above the floor, where replicas cannot
	// reach the goal. Origin: not measured. Half and twice: matters (0.25: long prompts +0.4 pt, +9.7 %; 1:
	// long prompts -0.4 pt, -8.6 %).
	shareAboveFloor = 0.5
	// maxBlindGrowth is a factor on the Ready pods while no arrivals are known: requests in flight hold
	// the queue, too. Origin: not measured. Half and twice: no effect.
	maxBlindGrowth = 2
	// minTargetLoad is the least part of a replica's rate that is planned with. Origin: on Mooncake 0.17
	// gives 98.8 at 71.7, 0.2 gives 98.6 at 65.7, 0.15 gives 98.9 at 74.8. Half and twice: matters (0.34:
	// long prompts -0.5 pt, -7.4 %).
	minTargetLoad = 0.17
	// The search ends within planPrecision replicas, or planRelativePrecision of them. Origin: a
	// twentieth of a replica is not worth one more (pkg/decider). Half and twice: planPrecision matters
	// (0.05: azure conv -0.3 pt, -4.3 %; 0.2: slow starts +4.3 pt, +4.4 %); planRelativePrecision small
	// effect.
	planPrecision, planRelativePrecision = 0.1, 0.005
)

// Another engine, KV-cache backoff and missing replicas.
const (
	// sameKV is a share: by how much the KV caches of one model's pods may differ, for vLLM takes what
	// memory it finds free. Origin: not measured. Half and twice: no effect.
	sameKV = 0.15
	// inheritedWeight is the weight that misses by load keep for another engine. Origin: with 0 the
	// scenario slo-model-change needs 30 instead of 26 replicas within the first minute, and comes down
	// to 9 replicas 12 minutes later. Half and twice: no effect.
	inheritedWeight = 0.1
	// While most pods preempt requests, kvBackoffCut is what a bin leaves of the KV cache that is
	// planned with, down to minKVShare; kvBackoffRecovery is what a bin without gives back. Origin: of
	// the cut the study (2.3 E), of the others not measured. Half and twice: kvBackoffCut small effect;
	// kvBackoffRecovery matters (1.0015: small cache +0.0 pt, +10.1 %); minKVShare small effect.
	kvBackoffCut, kvBackoffRecovery, minKVShare = 0.9, 1.003, 0.5
	// lateStartup times the startup time after the count grew, a replica that is not there is missing.
	// Origin: not measured. Half and twice: matters (2: failures +0.9 pt, +1.9 %).
	lateStartup = 1.5
	// maxSpareShare is the most spares by need: pods that can never be Ready, as of an image that
	// cannot be pulled, would otherwise bring more of their kind. Origin: not measured. Half and twice:
	// matters (0.125: failures -1.3 pt, -2.5 %).
	maxSpareShare = 0.25
	// spareSlope: with as many replicas missing in the mean as its inverse, and more, a standard
	// deviation of them is kept on top. Origin: not measured. Half and twice: matters (2: failures -2.1
	// pt, +1.4 %; 8: slow starts +4.3 pt, -2.1 %).
	spareSlope = 4
)

// When the objective is out of reach.
const (
	// fewMeet is the attainment below which few requests meet the objective. Origin: not measured. Half
	// and twice: no effect.
	fewMeet = 0.5
	// minUnreachable is by how many times the share of misses that replicas cannot help exceeds what
	// the goal allows before the goal counts as out of reach: the share is known in steps of four
	// times. Origin: not measured. Half and twice: no effect.
	minUnreachable = 1.5
	// reachedShare is the share of an objective below which a latency that was out of reach is in reach
	// again. Origin: not measured. Half and twice: no effect.
	reachedShare = 0.9
)
