package load

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestWhole(t *testing.T) {
	for _, c := range []struct {
		name, body string
		status     int
		want       string // part of the error, "" for whole
	}{
		{"whole", `{"choices":[{"finish_reason":"length"}],"usage":{"completion_tokens":7}}`, 200, ""},
		{"cut by a stopping vLLM", `{"choices":[{"finish_reason":"abort"}],"usage":{"completion_tokens":7}}`, 200, `finish_reason "abort"`},
		{"too few tokens", `{"choices":[{"finish_reason":"stop"}],"usage":{"completion_tokens":3}}`, 200, "3 tokens in place of 7"},
		{"refused", "no healthy upstream", 503, "status 503: no healthy upstream"},
		{"not JSON", "<html>", 200, "not JSON"},
		{"empty", `{}`, 200, "0 choices"},
	} {
		err := whole(c.status, []byte(c.body), 7)
		if got := text(err); (c.want == "") != (err == nil) || !strings.Contains(got, c.want) {
			t.Errorf("%s: whole = %q, want %q", c.name, got, c.want)
		}
	}
}

func TestJoined(t *testing.T) {
	const token, end = `data: {"choices":[{"text":"a","finish_reason":null}]}` + "\n\n", `data: {"choices":[{"text":"b","finish_reason":"length"}]}` + "\n\n"
	const usage, done = `data: {"choices":[],"usage":{"completion_tokens":2}}` + "\n\n", "data: [DONE]\n\n"
	for _, c := range []struct{ name, stream, want string }{
		{"whole", token + end + usage + done, ""},
		{"no end", token + end + usage, "without [DONE]"},
		{"aborted in good order", token + strings.Replace(end, "length", "abort", 1) + usage + done, `finish_reason "abort"`},
		{"too few tokens", token + end + strings.Replace(usage, "2", "1", 1) + done, "1 tokens in place of 2"},
		{"an error in between", token + "data: oops\n\n" + done, "not JSON"},
		{"nothing", "", "without [DONE]"},
	} {
		body, err := joined([]byte(c.stream))
		if err == nil {
			err = whole(200, body, 2)
		}
		if (c.want == "") != (err == nil) || !strings.Contains(text(err), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestClientsCountEveryAnswerOnce(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "model.example.com" {
			http.Error(w, "wrong host "+r.Host, http.StatusNotFound)
			return
		}
		w.Write([]byte(`{"choices":[{"finish_reason":"stop"}],"usage":{"completion_tokens":2}}`))
	}))
	defer server.Close()
	sender := NewSender(Target{Ingress: strings.TrimPrefix(server.URL, "http://"), Host: "model.example.com"}, time.Minute)

	if r := Burst(t.Context(), sender, Shape{Prompt: 3, Tokens: 2}, 12); r.Whole != 12 || r.Failed != 0 {
		t.Errorf("Burst = %v, want 12 whole", r)
	}
	if r := Burst(t.Context(), sender, Shape{Prompt: 3, Tokens: 5}, 4); r.Whole != 0 || r.Failures["2 tokens in place of 5"] != 4 {
		t.Errorf("Burst = %v, want 4 short answers", r)
	}
	clients := NewClients(context.Background(), sender, Shape{Prompt: 1, Tokens: 2})
	clients.Set(4)
	for clients.Report().Whole == 0 {
		clients.Set(2)
	}
	if r := clients.Stop(); r.Whole == 0 || r.Failed != 0 {
		t.Errorf("Stop = %v, want whole answers only", r)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
