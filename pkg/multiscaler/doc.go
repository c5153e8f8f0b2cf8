// Package multiscaler runs one decision loop per revision: observe, decide,
// publish. It owns the decider's state and is the only place where decisions
// are made in a cluster. Every replica of the program runs it for every
// revision, leader or not, so that a standby takes over with warm windows.
package multiscaler
