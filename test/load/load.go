// Package load sends completions to an OpenAI-compatible server behind a
// Knative ingress and counts which answers came back whole. It serves the
// end-to-end tests and the demo.
package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Target is where requests go.
type Target struct {
	// Ingress is host:port of the ingress; Host is the Knative Service's host name.
	Ingress, Host string
	// Model is the model's name in the request.
	Model string
	// Proxy is the URL of a proxy to the ingress, such as socks5h://127.0.0.1:18085; nil is none.
	Proxy *url.URL
}

// Shape is what one request asks for.
type Shape struct {
	// Prompt is the length of the prompt in words, at least 1. Words are random,
	// so that no prompt shares cache blocks with another.
	Prompt int
	// Tokens is the number of tokens to generate; a whole answer has exactly this number.
	Tokens int
	// Stream asks for the tokens one by one, as server-sent events.
	Stream bool
}

// Sender sends requests over kept connections. It is safe for concurrent use.
type Sender struct {
	target Target
	client *http.Client
}

// NewSender returns a Sender; each request takes at most timeout.
func NewSender(target Target, timeout time.Duration) *Sender {
	transport := &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: 30 * time.Second}
	if target.Proxy != nil {
		transport.Proxy = http.ProxyURL(target.Proxy)
	}
	return &Sender{target: target, client: &http.Client{Transport: transport, Timeout: timeout}}
}

type completion struct {
	Model     string `json:"model"`
	Prompt    string `json:"prompt"`
	MaxTokens int    `json:"max_tokens"`
	IgnoreEOS bool   `json:"ignore_eos"`
	Stream    bool   `json:"stream,omitempty"`
	// StreamOptions asks for the number of tokens at the end of a stream.
	StreamOptions *streamOptions `json:"stream_options,omitempty"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type answer struct {
	Choices []struct {
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage struct {
		CompletionTokens int `json:"completion_tokens"`
	} `json:"usage"`
}

// Send sends one request and returns nil when its answer is whole: status 200,
// finish_reason stop or length, and every token that was asked for. A server
// that is cut off may still say 200 and end its stream in good order.
func (s *Sender) Send(ctx context.Context, shape Shape) error {
	ask := completion{Model: s.target.Model, Prompt: prompt(shape.Prompt), MaxTokens: shape.Tokens,
		IgnoreEOS: true, Stream: shape.Stream}
	if shape.Stream {
		ask.StreamOptions = &streamOptions{IncludeUsage: true}
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.target.Ingress+"/v1/completions", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Host = s.target.Host
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return fmt.Errorf("answer cut off after %d bytes: %w", len(text), err)
	}
	if shape.Stream && resp.StatusCode == http.StatusOK {
		if text, err = joined(text); err != nil {
			return err
		}
	}
	return whole(resp.StatusCode, text, shape.Tokens)
}

// joined makes one answer of the events of a stream: the last reason to finish and the
// last number of tokens. A stream without its end is cut off.
func joined(stream []byte) ([]byte, error) {
	var all answer
	for line := range strings.Lines(string(stream)) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			return json.Marshal(all)
		}
		var one answer
		if err := json.Unmarshal([]byte(data), &one); err != nil {
			return nil, fmt.Errorf("event is not JSON: %s", firstLine([]byte(data)))
		}
		if len(one.Choices) > 0 && one.Choices[0].FinishReason != "" {
			all.Choices = one.Choices
		}
		all.Usage.CompletionTokens = max(all.Usage.CompletionTokens, one.Usage.CompletionTokens)
	}
	return nil, fmt.Errorf("answer cut off without [DONE]: %d bytes", len(stream))
}

func whole(status int, text []byte, tokens int) error {
	if status != http.StatusOK {
		return fmt.Errorf("status %d: %s", status, firstLine(text))
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return fmt.Errorf("answer is not JSON: %s", firstLine(text))
	}
	if len(a.Choices) != 1 {
		return fmt.Errorf("%d choices in place of 1", len(a.Choices))
	}
	if r := a.Choices[0].FinishReason; r != "stop" && r != "length" {
		return fmt.Errorf("finish_reason %q", r)
	}
	if a.Usage.CompletionTokens != tokens {
		return fmt.Errorf("%d tokens in place of %d", a.Usage.CompletionTokens, tokens)
	}
	return nil
}

// prompt returns n random words; each is one token to the simulator, and about
// two to a byte-pair tokenizer.
func prompt(n int) string {
	var b strings.Builder
	for range max(n, 1) {
		fmt.Fprintf(&b, "%05x ", rand.Uint32N(1<<20)) //nolint:gosec // not a secret
	}
	return b.String()
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return line[:min(len(line), 200)]
}
