package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// Headers of an answer; a test compares them with what it knows of the pods.
const (
	podHeader       = "X-Answered-By"       // the pod's name
	addressHeader   = "X-Answered-From"     // the pod's address
	revisionHeader  = "X-Answered-Revision" // its Knative revision
	pickedHeader    = "X-Picked"            // ip:port that the endpoint picker wrote into the request
	placeHeader     = "X-Place"             // the request's place among all that this pod ran
	objectiveHeader = "X-Objective"         // the objective that arrived with the request
)

// complete takes max_tokens times the time per token. A stream sends one event
// per token.
func (e *engine) complete(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Model     string `json:"model"`
		MaxTokens int    `json:"max_tokens"`
		Stream    bool   `json:"stream"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&ask); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	place, ok := e.admit(r.Context())
	if !ok {
		return
	}
	defer e.release()
	sign(w.Header(), r)
	w.Header().Set(placeHeader, strconv.Itoa(place))
	if ask.Stream {
		e.stream(w, r, ask.MaxTokens)
		return
	}
	select {
	case <-time.After(time.Duration(ask.MaxTokens) * e.token):
	case <-r.Context().Done():
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"object":"chat.completion","model":%q,"choices":[{"index":0,"text":"","message":{"role":"assistant","content":"so be it"},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":%d,"total_tokens":%d}}`,
		ask.Model, ask.MaxTokens, ask.MaxTokens+1)
}

func (e *engine) stream(w http.ResponseWriter, r *http.Request, tokens int) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	for i := range tokens {
		select {
		case <-time.After(e.token):
		case <-r.Context().Done():
			return
		}
		fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%d \"}}]}\n\n", i)
		_ = out.Flush() // a client that left ends the request's context
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

func sign(h http.Header, r *http.Request) {
	name, _ := os.Hostname()
	h.Set(podHeader, name)
	h.Set(addressHeader, ownAddress())
	h.Set(revisionHeader, os.Getenv("K_REVISION"))
	h.Set(pickedHeader, r.Header.Get("X-Gateway-Destination-Endpoint"))
	h.Set(objectiveHeader, r.Header.Get("X-Gateway-Inference-Objective"))
}

// ownAddress is the pod's: the only one that is no loopback.
func ownAddress() string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}
