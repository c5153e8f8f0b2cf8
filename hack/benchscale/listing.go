package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// listsRole is the argument of the process that lists. It is a process of its own, so that a
// late client is not taken for a late answer: it runs before other processes (SCHED_RR) on
// one core at a time, never collects garbage, and is woken by a timer of the kernel, because
// Go's own timers are late by up to a millisecond in a process that waits for the network.
const listsRole = "lists"

// listsOrder is what that process reads on stdin; it writes latencies to stdout.
type listsOrder struct {
	Rate       int
	Length     time.Duration
	Namespaces []string
}

// listsEnvironment: 20 s of lists allocate less than a quarter of the limit.
var listsEnvironment = []string{"BENCHSCALE_FIRST=1", "GOMAXPROCS=1", "GOGC=off", "GOMEMLIMIT=2GiB", "GODEBUG="}

// runLists becomes the process that runs first, and lists.
func runLists() error {
	if os.Getenv("BENCHSCALE_FIRST") == "" {
		return execFirst()
	}
	var order listsOrder
	if err := json.NewDecoder(os.Stdin).Decode(&order); err != nil {
		return fmt.Errorf("lists: %w", err)
	}
	c := newAPIClient()
	if _, err := c.get(context.Background(), ""); err != nil {
		return err
	}
	l, err := c.lists(context.Background(), order)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(l)
}

// execFirst replaces this process by one whose threads all have the policy of this thread.
func execFirst() error {
	const roundRobin = 2
	priority := int32(1)
	runtime.LockOSThread() // the policy is of a thread
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETSCHEDULER, 0, roundRobin, uintptr(unsafe.Pointer(&priority)))
	if errno != 0 {
		return fmt.Errorf("running the client of lists before others: %w", errno)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(self, os.Args, append(os.Environ(), listsEnvironment...))
}

// listsApart lists in a process of its own.
func listsApart(ctx context.Context, order listsOrder) (l latencies, err error) {
	self, err := os.Executable()
	if err != nil {
		return l, err
	}
	in, err := json.Marshal(order)
	if err != nil {
		return l, err
	}
	cmd := exec.CommandContext(ctx, self, listsRole)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return l, fmt.Errorf("lists: %w", err)
	}
	return l, json.Unmarshal(out, &l)
}

// listSample is one list.
type listSample struct {
	took, late time.Duration
	bytes      int
	err        error
}

// lists asks rate times a second for a namespace's pods. The time of an answer
// counts from when its request was due, so that a wait behind others counts.
func (c apiClient) lists(ctx context.Context, order listsOrder) (latencies, error) {
	ctx, cancel := context.WithTimeout(ctx, order.Length+10*time.Second) // what is not answered then failed
	defer cancel()
	total := order.Rate * int(order.Length/time.Second)
	due, all := make(chan int, total), make([]listSample, total)
	timer, err := newTicks(time.Second / time.Duration(order.Rate))
	if err != nil {
		return latencies{}, err
	}
	defer timer.Close()
	var workers sync.WaitGroup
	for range 32 {
		workers.Go(func() {
			for i := range due {
				at, s := timer.at(i), &all[i]
				s.late = time.Since(at)
				s.bytes, s.err = c.get(ctx, "/namespaces/"+order.Namespaces[i%len(order.Namespaces)]+"/pods/*/num_requests_running")
				s.took = time.Since(at)
			}
		})
	}
	for i := 0; i < total; {
		n, err := timer.wait()
		if err != nil {
			return latencies{}, err
		}
		for ; n > 0 && i < total; n, i = n-1, i+1 {
			due <- i
		}
	}
	close(due)
	workers.Wait()
	return summary(all, time.Since(timer.begin)), nil
}

func summary(all []listSample, length time.Duration) latencies {
	l := latencies{Count: len(all), PerSecond: float64(len(all)) / length.Seconds()}
	var took, late []time.Duration
	for _, s := range all {
		late = append(late, s.late)
		if s.err != nil {
			l.Failed++
			continue
		}
		took = append(took, s.took)
		l.Bytes += s.bytes
	}
	if len(took) > 0 {
		l.Bytes /= len(took)
	}
	var client latencies
	client.summarize(late)
	l.LateP50, l.LateP99 = client.P50, client.P99
	l.summarize(took)
	return l
}

// ticks is a timer of the kernel, which the process waits for as for the network.
type ticks struct {
	*os.File
	begin  time.Time
	period time.Duration
}

func newTicks(period time.Duration) (*ticks, error) {
	const monotonic, nonblocking = 1, syscall.O_NONBLOCK
	fd, _, errno := syscall.RawSyscall(syscall.SYS_TIMERFD_CREATE, monotonic, nonblocking, 0)
	if errno != 0 {
		return nil, fmt.Errorf("making a timer: %w", errno)
	}
	each := syscall.NsecToTimespec(int64(period))
	spec := [2]syscall.Timespec{each, each} // the interval, and the first
	t := &ticks{os.NewFile(fd, "timer"), time.Now(), period}
	_, _, errno = syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	if errno != 0 {
		return nil, fmt.Errorf("setting a timer: %w", errno)
	}
	return t, nil
}

// at is when the i-th tick is due.
func (t *ticks) at(i int) time.Time { return t.begin.Add(time.Duration(i+1) * t.period) }

// wait returns how many ticks came since it was called last.
func (t *ticks) wait() (int, error) {
	var count [8]byte
	if _, err := t.Read(count[:]); err != nil {
		return 0, fmt.Errorf("waiting for a timer: %w", err)
	}
	return int(binary.NativeEndian.Uint64(count[:])), nil
}
