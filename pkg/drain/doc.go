// Package drain plans the pods of one revision: which pods are given up, when a pod that
// is given up has ended its work, and what is written next. It is pure: an Input becomes
// a Plan, and everything that has to be remembered stands on the pods themselves (the
// condition of their readiness gate, with its time, and their deletion cost), so that
// another leader goes on where the last one stopped.
//
//	                 Want falls                      nothing open, or Timeout
//	serving (open) -------------> draining (closed) --------------------------> released (cost)
//	      ^                            |                                            |
//	      +------- Want rises ---------+                        spec.replicas falls, Kubernetes deletes it
//
// A pod without the gate cannot leave routing while it runs. It is released at once, as
// Knative does.
package drain
