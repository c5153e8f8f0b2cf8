package handover

import (
	"encoding/json"
	"time"
)

// forgetAfter is the time without a change after which a replica is gone for good.
const forgetAfter = 10 * time.Minute

// entry is what one replica publishes; Beat makes each entry differ from the one before.
type entry struct {
	Replica
	Beat int64 `json:"beat"`
}

// Entry is what a replica publishes of itself at now. No two of them are the same, for replicas
// publish less often than once a second.
func Entry(r Replica, now time.Time) (string, error) {
	text, err := json.Marshal(entry{Replica: r, Beat: now.Unix()})
	return string(text), err
}

// Peers remembers when the entry of each other replica last changed, by our own monotonic clock:
// the clocks of two nodes differ. It is not safe for concurrent use. The zero value is ready.
type Peers struct {
	changes map[string]change
}

type change struct {
	text string
	at   time.Time
}

// Fresh returns the other replicas whose entries, by the names of the replicas, changed within MaxAge.
// An entry that cannot be read is left out. An entry that is seen for the first time may be of any age,
// and counts once it changes. gone are the replicas that fell silent long ago: their entries are to be
// removed.
func (p *Peers) Fresh(entries map[string]string, now time.Time) (fresh []Replica, gone []string) {
	if p.changes == nil {
		p.changes = map[string]change{}
	}
	for name, text := range entries {
		last, known := p.changes[name]
		switch {
		case !known:
			last = change{text, now.Add(-MaxAge)}
		case last.text != text:
			last = change{text, now}
		}
		p.changes[name] = last
		var e entry
		switch age := now.Sub(last.at); {
		case age >= forgetAfter:
			gone = append(gone, name)
			delete(p.changes, name)
		case age < MaxAge && json.Unmarshal([]byte(text), &e) == nil:
			fresh = append(fresh, e.Replica)
		}
	}
	return fresh, gone
}
