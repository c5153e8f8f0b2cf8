package engine

// ring is a queue of slots that also takes back at its head.
type ring struct {
	items []int32
	head  int
	size  int
}

func (r *ring) at(i int) int32 { return r.items[(r.head+i)&(len(r.items)-1)] }

func (r *ring) front() int32 { return r.items[r.head] }

func (r *ring) pushBack(v int32) {
	r.grow()
	r.items[(r.head+r.size)&(len(r.items)-1)] = v
	r.size++
}

func (r *ring) pushFront(v int32) {
	r.grow()
	r.head = (r.head - 1) & (len(r.items) - 1)
	r.items[r.head] = v
	r.size++
}

func (r *ring) popFront() int32 {
	v := r.items[r.head]
	r.head = (r.head + 1) & (len(r.items) - 1)
	r.size--
	return v
}

// grow keeps the length a power of two, so that positions wrap by a mask.
func (r *ring) grow() {
	if r.size < len(r.items) {
		return
	}
	items := make([]int32, max(2*len(r.items), 16))
	for i := range r.size {
		items[i] = r.at(i)
	}
	r.items, r.head = items, 0
}

// finishes is a heap of decoding requests by the step that makes their last
// token: step<<slotBits | slot, four children per node to stay in few cache lines.
type finishes []int64

const slotBits = 28 // 268 million requests in one engine, and 34 billion steps

func (f finishes) first() (step int64) { return f[0] >> slotBits }

func (f *finishes) push(step int64, slot int32) {
	*f = append(*f, 0)
	h := *f
	key, i := step<<slotBits|int64(slot), len(h)-1
	for i > 0 {
		parent := (i - 1) / 4
		if h[parent] <= key {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = key
}

func (f *finishes) pop() (slot int32) {
	slot = int32((*f)[0] & (1<<slotBits - 1))
	f.removeAt(0)
	return slot
}

// remove drops a slot that will not finish; it searches, for preemption is rare.
func (f *finishes) remove(step int64, slot int32) {
	key := step<<slotBits | int64(slot)
	for i, k := range *f {
		if k == key {
			f.removeAt(i)
			return
		}
	}
}

func (f *finishes) removeAt(i int) {
	h := *f
	last := len(h) - 1
	key := h[last]
	*f = h[:last]
	if i == last {
		return
	}
	h = h[:last]
	for i > 0 && h[(i-1)/4] > key { // upwards, only after remove
		h[i] = h[(i-1)/4]
		i = (i - 1) / 4
	}
	h.sink(i, key)
}

func (f finishes) sink(i int, key int64) {
	for {
		child := 4*i + 1
		if child >= len(f) {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, len(f)); c++ {
			if f[c] < f[least] {
				least = c
			}
		}
		if f[least] >= key {
			break
		}
		f[i] = f[least]
		i = least
	}
	f[i] = key
}
