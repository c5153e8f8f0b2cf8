package recording

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// flushEvery bounds what a crash may lose, in the time of the observations.
const flushEvery = 5 * time.Second

// Writer appends to one file. When the file has reached its limit it becomes
// FILE.1, whose predecessor goes, and a new one begins: at most twice the limit
// is kept. A Writer is safe for concurrent use. After an error it writes no
// more, and Err returns why: a full disk must not stop decisions.
type Writer struct {
	path    string
	adapter string
	limit   int64

	mu      sync.Mutex
	file    *os.File
	packed  *gzip.Writer
	out     *bufio.Writer
	flushed time.Time
	// readable is when Flush last flushed.
	readable time.Time
	specs    map[string]decider.Spec
	err      error
}

// Create begins a recording. limit is bytes after compression. A file of before
// a restart becomes FILE.1: it may show why the program ended.
func Create(path, adapter string, limit int64) (*Writer, error) {
	w := &Writer{path: path, adapter: adapter, limit: limit}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("keeping the recording of before (--record): %w", err)
		}
	}
	if err := w.begin(); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *Writer) begin() error {
	f, err := os.Create(w.path)
	if err != nil {
		return fmt.Errorf("creating the recording (--record): %w", err)
	}
	w.file, w.packed = f, gzip.NewWriter(f)
	w.out = bufio.NewWriterSize(w.packed, 64<<10)
	w.specs = map[string]decider.Spec{}
	return w.line(Header{Format: Format, Version: Version, Adapter: w.adapter, Began: time.Now()})
}

// Record writes one decision down: what Decide was called with, what it
// answered, and whether the answer was discarded.
func (w *Writer) Record(revision string, spec decider.Spec, before decider.State, obs decider.Observation,
	d decider.Decision, discarded bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	e := Entry{Revision: revision, Observation: obs, Replicas: d.Replicas, Reason: d.Reason, Discarded: discarded}
	old, known := w.specs[revision]
	if !known {
		e.State = &before
	}
	if !known || !reflect.DeepEqual(old, spec) {
		e.Spec = &spec
		w.specs[revision] = spec
	}
	w.err = w.append(e)
	if errors.As(w.err, new(*json.UnsupportedValueError)) {
		// JSON has no infinity: this decision is left out, and the next one carries its state.
		delete(w.specs, revision)
		w.err = nil
	}
}

// Forget makes the next entry of a revision carry its spec and state again.
func (w *Writer) Forget(revision string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.specs, revision)
}

func (w *Writer) append(e Entry) error {
	if err := w.line(e); err != nil {
		return err
	}
	if e.Observation.Time.Sub(w.flushed) < flushEvery {
		return nil
	}
	w.flushed = e.Observation.Time
	if err := w.flush(); err != nil {
		return err
	}
	if at, err := w.file.Seek(0, 1); err != nil || at < w.limit {
		return err
	}
	return w.rotate()
}

func (w *Writer) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing the recording: %w", err)
	}
	_, err = w.out.Write(append(b, '\n'))
	return err
}

func (w *Writer) flush() error {
	if err := w.out.Flush(); err != nil {
		return err
	}
	return w.packed.Flush()
}

func (w *Writer) rotate() error {
	if err := w.end(); err != nil {
		return err
	}
	if err := os.Rename(w.path, w.path+".1"); err != nil {
		return err
	}
	return w.begin()
}

func (w *Writer) end() error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.packed.Close(); err != nil {
		return err
	}
	return w.file.Close()
}

// readEvery is the shortest time between two flushes for readers: each flush holds the lock
// that decisions wait for, and costs compression.
const readEvery = time.Second

// Flush makes what is recorded readable in the file, but for the last readEvery.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || time.Since(w.readable) < readEvery {
		return w.err
	}
	w.readable = time.Now()
	w.err = w.flush()
	return w.err
}

// Close ends the recording and returns the first error of its life.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		_ = w.file.Close()
		return w.err
	}
	w.err = os.ErrClosed
	return w.end()
}

// Err is why nothing more is written; nil while all is well.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
