// Package recording writes down what the adapter decided on, and reads it back.
//
// A recording is JSON lines under gzip. The first line is a Header, every
// other one an Entry: one call of decider.Decide, with all that went in and the
// count that came out. A revision's first Entry in a file carries its Spec and
// the State before the call, so a file can be replayed on its own and gives the
// very same decisions. Later entries carry a Spec only when it has changed.
package recording
