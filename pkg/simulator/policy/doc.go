// Package policy holds what a simulated fleet can be scaled by: ours, and its
// rivals as their own code or formulas have it. A policy is named with its
// options, as in
//
//	ipa:goal=0.95
//	kpa:target=20,scale-down-delay=300s
//	hpa:metric=kv_cache_usage_percent,target=70
//	wva:version=1
//
// [Help] lists all of them. Every rival's file says which version of its
// source it follows and what it leaves out; its defaults are that source's.
// A rival's bounds are the run's. Where that has no minimum, each goes to zero and comes
// back as its own components do, or keeps a replica if they cannot.
package policy
