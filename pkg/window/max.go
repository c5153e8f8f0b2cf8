package window

import (
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// Max is the largest value recorded within a window of time. It answers
// exactly as Knative's aggregation/max.TimeWindow does as long as time does
// not run backwards; an earlier time counts as that of the newest record.
//
// A Max is a value: Record returns the next one and leaves the old one as it
// was, so copies may be kept and continued apart. It holds one entry per value
// that may still become the largest, at most one per bucket, and a value that
// stays the same or grows costs no allocation. The zero Max is a window of one
// bucket of one second.
type Max struct {
	granularity time.Duration
	size        int64
	// older holds the entries before last, oldest and largest first. It is
	// shared between copies, so it is cut, never written.
	older []entry
	last  entry
	some  bool
}

// entry is a value with the number of the bucket it was recorded in.
type entry struct {
	index int64
	value int32
}

// NewMax returns an empty window. The granularity is the width of a bucket in
// whole seconds, at least one.
func NewMax(window, granularity time.Duration) Max {
	g := wholeSeconds(granularity)
	return Max{granularity: g, size: int64(bucketCount(window, g))}
}

// Record returns the window with v recorded at now. Of several values in one
// bucket the largest counts.
func (m Max) Record(now time.Time, v int32) Max {
	m.granularity, m.size = wholeSeconds(m.granularity), max(m.size, 1)
	index := bucketIndex(now, m.granularity)
	if m.some {
		index = max(index, m.last.index)
	}
	m = m.without(v, index)
	switch {
	case m.some && m.last.index == index: // larger than v, or without would have dropped it
	case m.some:
		m.older = append(slices.Clip(m.older), m.last)
		m.last = entry{index, v}
	default:
		m.last, m.some = entry{index, v}, true
	}
	return m
}

// without drops what can no longer be the largest: entries not above v, which
// is newer, and entries that left the window by index.
func (m Max) without(v int32, index int64) Max {
	if m.some && m.last.value <= v {
		m.some = false
		for len(m.older) > 0 && m.older[len(m.older)-1].value <= v {
			m.older = m.older[:len(m.older)-1]
		}
	}
	for len(m.older) > 0 && index-m.older[0].index >= m.size {
		m.older = m.older[1:]
	}
	if m.some && index-m.last.index >= m.size {
		m.some = false // and older is empty, for it left the window before
	}
	if n := len(m.older); !m.some && n > 0 {
		m.last, m.some, m.older = m.older[n-1], true, m.older[:n-1]
	}
	return m
}

// Current is the largest value of the window as of the last record, 0 when
// nothing was recorded. It does not age: record first.
func (m Max) Current() int32 {
	switch {
	case len(m.older) > 0:
		return m.older[0].value
	case m.some:
		return m.last.value
	}
	return 0
}

// IsEmpty reports whether nothing recorded is still within the window at now.
func (m Max) IsEmpty(now time.Time) bool {
	return !m.some || bucketIndex(now, wholeSeconds(m.granularity))-m.last.index >= m.size
}

// Resize returns the window with another length; entries that no longer fit
// leave with the next record.
func (m Max) Resize(window time.Duration) Max {
	m.granularity = wholeSeconds(m.granularity)
	m.size = int64(bucketCount(window, m.granularity))
	return m
}

// maxJSON is Max as it is stored: pairs of bucket number and value.
type maxJSON struct {
	Seconds int64      `json:"seconds"`
	Buckets int64      `json:"buckets"`
	Entries [][2]int64 `json:"entries,omitempty"`
}

// MarshalJSON writes the window and its few entries.
func (m Max) MarshalJSON() ([]byte, error) {
	j := maxJSON{Seconds: int64(m.granularity / time.Second), Buckets: m.size}
	for _, e := range m.older {
		j.Entries = append(j.Entries, [2]int64{e.index, int64(e.value)})
	}
	if m.some {
		j.Entries = append(j.Entries, [2]int64{m.last.index, int64(m.last.value)})
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote. Entries must grow in bucket
// number, fall in value and fit the window.
func (m *Max) UnmarshalJSON(b []byte) error {
	var j maxJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	g := time.Duration(j.Seconds) * time.Second
	if j.Seconds < 0 || g/time.Second != time.Duration(j.Seconds) || int64(len(j.Entries)) > max(j.Buckets, 0) {
		return errors.New("window: entries do not fit the window")
	}
	next := Max{granularity: g, size: j.Buckets}
	for i, e := range j.Entries {
		if e[1] != int64(int32(e[1])) || i > 0 && (e[0] <= j.Entries[i-1][0] || e[1] >= j.Entries[i-1][1]) {
			return errors.New("window: entries must grow in time and fall in value")
		}
		next.older = append(next.older, entry{e[0], int32(e[1])})
	}
	if n := len(next.older); n > 0 {
		next.older, next.last, next.some = next.older[:n-1], next.older[n-1], true
	}
	*m = next
	return nil
}
