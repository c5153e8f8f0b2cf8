// Command engine stands in for an inference engine in the end-to-end tests. It
// is not a simulator of one: it exists for what the simulator cannot show, an
// engine whose page is garbage, hangs or is absurd, and for exact values of a
// metric. It answers completions (OpenAI's paths and Triton's) after a fixed
// time, whole or streamed, and says in headers who answered and whom the
// gateway's endpoint picker had named. Its page, which has vLLM's names, says
// what POST /set has set.
//
// It also fetches a URL on behalf of a test (POST /fetch), because the test runs
// outside the cluster's network.
package main

import (
	"errors"
	"flag"
	"io/fs"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	addr := flag.String("addr", ":8000", "address to serve on")
	token := flag.Duration("token", 50*time.Millisecond, "time per generated token")
	startup := flag.Duration("startup", 0, "time until /health says 200; negative is never")
	seqs := flag.Int("seqs", 0, "requests that run at a time; the others wait in order; 0 is no limit")
	triton := flag.Bool("triton", false, "the page has Triton's names, not vLLM's")
	bearer := flag.String("metrics-token", "", "bearer token that /metrics asks for; empty is none")
	fails := flag.Int("fail-starts", 0, "how many starts of a pod fail, counted in the file of -state")
	state := flag.String("state", "", "file that outlives the container")
	flag.Parse()
	failStart(*state, *fails)

	e := newEngine(*token, *startup, *seqs)
	e.triton = *triton
	e.page.Token = *bearer
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", e.health)
	mux.HandleFunc("POST /v1/completions", e.complete)
	mux.HandleFunc("POST /v1/chat/completions", e.complete)
	mux.HandleFunc("POST /v2/models/{model}/{verb...}", e.complete)
	mux.HandleFunc("GET /metrics", e.metrics)
	mux.HandleFunc("POST /set", e.set)
	mux.HandleFunc("POST /fetch", fetch)
	server := &http.Server{Addr: *addr, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// failStart ends the process unless it has ended so often already.
func failStart(state string, times int) {
	if times == 0 {
		return
	}
	starts, err := os.ReadFile(state)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Fatal(err)
	}
	if len(starts) >= times {
		return
	}
	if err := os.WriteFile(state, append(starts, '.'), 0o600); err != nil {
		log.Fatal(err)
	}
	log.Fatalf("start %d of %d that fail", len(starts)+1, times)
}
