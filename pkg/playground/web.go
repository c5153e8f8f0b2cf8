package playground

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/charts"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
)

//go:embed page.html
var pageHTML string

// renderPage returns the whole page, which needs nothing but this server.
func renderPage() ([]byte, error) {
	t, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]any{"CSS": charts.CSS(), "JS": charts.JS()})
	return out.Bytes(), err
}

// history is how many frames a new viewer gets, one a second.
const history = 900

// feed keeps the newest frames and wakes those who wait for the next.
type feed struct {
	mu     sync.Mutex
	frames [][]byte
	first  int // index of frames[0] since the start
	wake   chan struct{}
}

func newFeed() *feed { return &feed{wake: make(chan struct{})} }

func (f *feed) add(frame []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frames = append(f.frames, frame)
	if len(f.frames) > history {
		f.frames, f.first = f.frames[1:], f.first+1
	}
	close(f.wake)
	f.wake = make(chan struct{})
}

// since returns the frames from index i on, the next index, and what closes with the next frame.
func (f *feed) since(i int) ([][]byte, int, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i = max(i, f.first)
	return f.frames[i-f.first:], f.first + len(f.frames), f.wake
}

// Serve answers on a listener until ctx ends: the page, its events and
// controls, the pods' pages and the custom metrics API.
func (w *World) Serve(ctx context.Context, l net.Listener) error {
	api, err := metricsapi.OpenHandler(apiView{w})
	if err != nil {
		return fmt.Errorf("playground: %w", err)
	}
	html, err := renderPage()
	if err != nil {
		return fmt.Errorf("playground: %w", err)
	}
	feed := newFeed()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = rw.Write(html)
	})
	mux.HandleFunc("GET /events", feed.serve)
	mux.HandleFunc("GET /choices", serveChoices)
	mux.HandleFunc("POST /control", w.serveControl)
	mux.HandleFunc("GET /pods/{pod}/metrics", w.servePage)
	mux.Handle("/apis/", api)
	// Another site that is open in the same browser changes nothing here.
	server := &http.Server{Handler: http.NewCrossOriginProtection().Handler(mux), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	go w.film(ctx, feed)
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("playground: %w", err)
	}
	return nil
}

// film adds a frame every second.
func (w *World) film(ctx context.Context, f *feed) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		frame, err := w.frame()
		if err != nil {
			w.log.Error("no frame", "error", err)
			return
		}
		b, err := json.Marshal(frame)
		if err != nil {
			w.log.Error("no frame", "error", err)
			return
		}
		f.add(b)
	}
}

// serve sends the past frames and then each new one, as server-sent events.
func (f *feed) serve(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "text/event-stream")
	rw.Header().Set("Cache-Control", "no-store")
	flush := http.NewResponseController(rw)
	for i := 0; ; {
		frames, next, wake := f.since(i)
		i = next
		for _, b := range frames {
			if _, err := fmt.Fprintf(rw, "data: %s\n\n", b); err != nil {
				return
			}
		}
		if err := flush.Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-wake:
		}
	}
}

// serveControl changes what is in the body and leaves the rest.
func (w *World) serveControl(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	c := w.control
	w.mu.Unlock()
	err := decode(http.MaxBytesReader(rw, r.Body, 1<<16), &c)
	if err == nil {
		err = w.Set(c)
	}
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	rw.WriteHeader(http.StatusNoContent)
}

// decode reads one JSON object with the controls to change, and says of another
// body what is wrong with it.
func decode(body io.Reader, c *Control) error {
	const write = `write an object such as {"rate": 30, "policy": "kpa"}`
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	err := d.Decode(c)
	if err == nil {
		err = atEnd(d)
	}
	wrong := new(json.UnmarshalTypeError)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Errorf("%s: it is a %s, and must be a %s", wrong.Field, wrong.Value, kindOf(wrong.Type))
	case errors.Is(err, io.EOF):
		return fmt.Errorf("the body is empty; %s", write)
	}
	return fmt.Errorf("%w; %s", err, write)
}

// atEnd is an error if there is more to read.
func atEnd(d *json.Decoder) error {
	_, err := d.Token()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.As(err, new(*http.MaxBytesError)):
		return err
	}
	return errors.New("something follows the object")
}

// kindOf is what JSON calls the values of a field.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Int32, reflect.Int64:
		return "whole number"
	default:
		return "number"
	}
}

// serveChoices lists what the controls of the page offer.
func serveChoices(rw http.ResponseWriter, _ *http.Request) {
	type shape struct{ Name, Says string }
	var shapes []shape
	for _, s := range Shapes() {
		shapes = append(shapes, shape{s.Name, s.Says})
	}
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(map[string]any{"shapes": shapes, "policies": Policies(), "speeds": Speeds()})
}
