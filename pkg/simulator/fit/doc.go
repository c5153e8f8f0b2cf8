// Package fit learns an engine profile from what a real engine did: it looks
// for the step-time coefficients with which the simulated engine gives every
// request the latencies that were measured.
//
// The search begins at several places: at least squares over the measured
// decoding times, and at the known profiles that, made slower or faster as a
// whole, come nearest. From each it moves every coefficient by a factor
// (Nelder and Mead's simplex on the logarithms), and the best end wins. A run
// does not determine every coefficient alone, so leaving the start costs a
// little: what the data do not show stays as it was. The engine's limits are
// the recording's and not learned. Nothing is random, so the same recording
// gives the same profile.
package fit
