// Package election makes a process the leader of buckets of revisions. Each bucket has a Lease and an
// election of client-go of its own, as with the electors of knative.dev/pkg. Three things differ:
//
//   - One bucket can be handed over while the others stay (Elector.HandOver).
//   - A bucket is demoted before its Lease is released, so that no other process leads it meanwhile.
//   - A Lease is released only while this process holds it.
//
// The Lease of a bucket that is handed over names the successor as its holder, and is valid for one
// lease duration. When the successor next reads the Lease, it finds itself as the holder, renews the
// Lease, and leads. Every other process, the old leader and older versions included, waits as it waits
// for a dead leader: if the successor does not renew, whoever reads the Lease first after its duration
// leads the bucket.
package election
