package collector

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const secretToken = "tok-0123456789abcdef"

// fakeTokens has one token for every Secret, or an error.
type fakeTokens struct {
	mu      sync.Mutex
	token   string
	err     error
	asked   map[string]bool
	refused int
}

func (f *fakeTokens) Token(namespace string, k SecretKey) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked == nil {
		f.asked = map[string]bool{}
	}
	f.asked[namespace+"/"+k.Name+"/"+k.Key] = true
	return f.token, f.err
}

func (f *fakeTokens) Refused(_ string, _ SecretKey, token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if token == f.token {
		f.refused++
	}
}

func (f *fakeTokens) set(token string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token, f.err = token, err
}

// guarded is an engine that wants a token; it counts the requests with any token.
type guarded struct {
	mu     sync.Mutex
	wants  string
	tokens int
	answer func(*http.Request) (*http.Response, error)
}

func (g *guarded) page(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Header.Get("Authorization") != "" {
		g.tokens++
	}
	if r.Header.Get("Authorization") != "Bearer "+g.wants {
		return status(http.StatusUnauthorized)(r)
	}
	if g.answer != nil {
		return g.answer(r)
	}
	return ok("text/plain", vllmPage(3, 2, 0.5, 1, 1)), nil
}

func (g *guarded) sent() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tokens
}

var guardedSpec = Spec{Key: rev, Port: 8000, Token: SecretKey{"engine-token", "key"}, StableWindow: time.Minute, PanicWindow: 6 * time.Second}

// newGuardedWorld has one pod, whose queue-proxy answers as the pod name.
func newGuardedWorld(t *testing.T, tokens Tokens, g *guarded, name string, log *slog.Logger) *world {
	t.Helper()
	w := newWorldWith(t, Options{Tokens: tokens, Log: log}, ready(1)...)
	w.set("10.0.0.1", func(p *fakePod) { p.stat.PodName, p.enginePage = name, g.page })
	w.Watch(guardedSpec)
	return w
}

// The page is asked for with the token of the Secret in the revision's namespace. When the
// engine has another token by then, the store learns that this one was refused.
func TestToken_story(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens, g := &fakeTokens{err: TokenError{TokenForbidden, "the Secret may not be read"}}, &guarded{wants: secretToken}
		w := newGuardedWorld(t, tokens, g, "p1", nil)
		expect := func(running float64, cause string) {
			t.Helper()
			after(5 * time.Second)
			problems := w.Problems(rev, time.Now())
			if cause != "" && (len(problems) != 1 || problems[0].Cause != cause) || cause == "" && len(problems) > 0 {
				t.Errorf("Problems = %+v, want %q", problems, cause)
			}
			if p := w.pod("p1"); running > 0 && float64(p.Running) != running {
				t.Errorf("%v running, want %v", p.Running, running)
			}
		}
		expect(0, string(TokenForbidden))
		if g.sent() > 0 || w.count("10.0.0.1:8000") > 0 {
			t.Errorf("asked %d times without a token", w.count("10.0.0.1:8000"))
		}
		tokens.set(secretToken, nil)
		expect(3, "")
		g.mu.Lock()
		g.wants = "another"
		g.mu.Unlock()
		expect(0, "token_refused")
		if tokens.refused == 0 {
			t.Error("nobody was told that the token was refused")
		}
		tokens.set("another", nil)
		expect(3, "")
		if len(tokens.asked) != 1 || !tokens.asked["default/engine-token/key"] {
			t.Errorf("asked for %v", tokens.asked)
		}
		w.Watch(Spec{Key: rev, Port: 8000, StableWindow: time.Minute, PanicWindow: 6 * time.Second})
		sent := g.sent()
		expect(0, "unauthorized")
		if g.sent() != sent {
			t.Error("a token was sent that no annotation names any more")
		}
	})
}

// A token goes to a pod that its queue-proxy confirmed, and to no other.
func TestToken_onlyToTheConfirmedPod(t *testing.T) {
	for _, tt := range []struct {
		name, reports string
		change        func(*world)
		known         bool
	}{
		{"the pod itself", "p1", func(*world) {}, true},
		{"another pod", "p2", func(*world) {}, false},
		{"a report without a name", "", func(*world) {}, false},
		{"no queue-proxy", "p1", func(w *world) {
			w.set("10.0.0.1", func(p *fakePod) { p.statPage = status(http.StatusNotFound) })
		}, false},
		{"a pod without a queue-proxy", "p1", func(w *world) {
			alone := guardedSpec
			alone.EngineOnly = true
			w.Forget(rev)
			w.Watch(alone)
			w.SetPods(rev, ready(1))
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &guarded{wants: secretToken}
				w := newGuardedWorld(t, &fakeTokens{token: secretToken}, g, tt.reports, nil)
				tt.change(w)
				after(5 * time.Second)
				if got := w.Endpoint(rev).Readable == 1; got != tt.known || tt.known != (g.sent() > 0) {
					t.Errorf("readable: %t after %d tokens sent, want %t", got, g.sent(), tt.known)
				}
				if p := w.Problems(rev, time.Now()); !tt.known && !causes(p)["token_withheld"] {
					t.Errorf("Problems = %+v, want token_withheld", p)
				}
			})
		})
	}
}

func causes(problems []Problem) map[string]bool {
	all := map[string]bool{}
	for _, p := range problems {
		all[p.Cause] = true
	}
	return all
}

// The pod goes and another pod gets its address before the collector learns of either: the
// token stops within the time that a report may be old.
func TestToken_theAddressBecomesAnotherPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, other := &guarded{wants: secretToken}, &guarded{wants: secretToken}
		w := newGuardedWorld(t, &fakeTokens{token: secretToken}, g, "p1", nil)
		after(5 * time.Second)
		w.set("10.0.0.1", func(p *fakePod) { p.stat.PodName, p.enginePage = "thief", other.page })
		after(time.Second)
		sent := other.sent()
		after(time.Minute)
		if g.sent() == 0 || sent > 2 || other.sent() != sent {
			t.Errorf("%d tokens to the pod, %d to the other in the first second and %d in a minute after that", g.sent(), sent, other.sent()-sent)
		}
	})
}

// A redirect to another host, port or scheme gets no token; one on the pod does.
func TestToken_redirects(t *testing.T) {
	for location, followed := range map[string]bool{
		"/metrics/": true, "http://10.0.0.1:8000/metrics/": true,
		"http://10.0.0.2:8000/metrics/": false, "http://10.0.0.1:9000/metrics/": false, "https://10.0.0.1:8000/metrics/": false, "//10.0.0.2/": false,
	} {
		t.Run(location, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, elsewhere := &guarded{wants: secretToken}, &guarded{wants: secretToken}
				g.answer = func(r *http.Request) (*http.Response, error) {
					if r.URL.Path == "/metrics/" {
						return ok("text/plain", vllmPage(3, 2, 0.5, 1, 1)), nil
					}
					return redirectTo(location), nil
				}
				w := newGuardedWorld(t, &fakeTokens{token: secretToken}, g, "p1", nil)
				w.set("10.0.0.2", func(p *fakePod) { p.enginePage = elsewhere.page })
				after(5 * time.Second)
				if got := w.Endpoint(rev).Readable == 1; got != followed || elsewhere.sent() > 0 || w.count("10.0.0.1:9000") > 0 {
					t.Errorf("readable: %t, %d tokens sent elsewhere", got, elsewhere.sent())
				}
			})
		})
	}
}

// What a server sends back of its token is in no message, no log line and no metric.
func TestToken_isNeverShown(t *testing.T) {
	echo := func(r *http.Request) string { return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") }
	for name, answer := range map[string]func(*http.Request) (*http.Response, error){
		"in a redirect": func(r *http.Request) (*http.Response, error) {
			return redirectTo("https://example.com/?token=" + echo(r)), nil
		},
		"as a metric":   func(r *http.Request) (*http.Response, error) { return ok("text/plain", echo(r)+" 1\n"), nil },
		"after a label": func(r *http.Request) (*http.Response, error) { return ok("text/plain", `vllm:x{a="`+echo(r)+"\n"), nil },
		"as a value": func(r *http.Request) (*http.Response, error) {
			return ok("text/plain", "vllm:num_requests_running "+echo(r)+"\n"), nil
		},
		"as the encoding": func(r *http.Request) (*http.Response, error) {
			e := ok("text/plain", "x")
			e.Header.Set("Content-Encoding", echo(r))
			return e, nil
		},
		"refused, and as text": func(r *http.Request) (*http.Response, error) {
			e := redirectTo(echo(r))
			e.StatusCode = 403
			return e, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var lines bytes.Buffer
				w := newGuardedWorld(t, &fakeTokens{token: secretToken}, &guarded{wants: secretToken, answer: answer}, "p1",
					slog.New(slog.NewJSONHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug})))
				after(20 * time.Second)
				problems := w.Problems(rev, time.Now())
				o, _ := w.Observe(rev)
				gathered, err := w.registry.Gather()
				if len(problems) != 1 || lines.Len() == 0 || err != nil {
					t.Fatalf("%+v, %q, %v", problems, lines.String(), err)
				}
				all := fmt.Sprintf("%+v %+v %+v %+v %s", problems, o, w.Endpoint(rev), gathered, lines.String())
				for i := range len(secretToken) - minReveal {
					if part := secretToken[i : i+minReveal]; strings.Contains(all, part) {
						t.Fatalf("%q is shown: %s", part, all)
					}
				}
			})
		})
	}
}

func TestConcealed(t *testing.T) {
	for _, tt := range []struct{ text, token, want string }{
		{"HTTP status 302", "", "HTTP status 302"},
		{"a redirect to \"/?t=abcdefghij\"", "abcdefghij", "a redirect to \"/?t=[...]\""},
		{"a redirect to \"/?t=abcdefg", "abcdefghij", "a redirect to \"/?t=[...]"},
		{"efghij and abcdef", "abcdefghij", "[...] and [...]"},
		{"abcde", "abcdefghij", "abcde"},
		{"xyz", "xyz", "[...]"},
		{"", "abcdefghij", ""},
		{"abcdefghijabcdefghij", "abcdefghij", "[...][...]"},
	} {
		if got := concealed(tt.text, tt.token); got != tt.want {
			t.Errorf("%q without %q: %q, want %q", tt.text, tt.token, got, tt.want)
		}
	}
}

func FuzzConcealed(f *testing.F) {
	f.Add("a redirect to /?t=abcdefghij", "abcdefghij")
	f.Add("aaaaaaaaaaaaa", "aaaaaaa")
	f.Fuzz(func(t *testing.T, text, token string) {
		got := concealed(text, token)
		for i := 0; i+minReveal <= len(token); i++ {
			if part := token[i : i+minReveal]; strings.Contains(strings.ReplaceAll(got, "[...]", "\x00"), part) && !strings.Contains(part, "\x00") {
				t.Errorf("%q without %q: %q", text, token, got)
			}
		}
	})
}

// Where no Secret can be read at all, the page is unknown and says why.
func TestToken_withoutAReader(t *testing.T) {
	if _, err := (noTokens{}).Token("default", SecretKey{"a", "b"}); !errors.As(err, &TokenError{}) {
		t.Errorf("%v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newGuardedWorld(t, nil, &guarded{}, "p1", nil)
		after(5 * time.Second)
		if p := w.Problems(rev, time.Now()); len(p) != 1 || p[0].Cause != string(TokenUnread) || w.count("10.0.0.1:8000") > 0 {
			t.Errorf("%+v after %d requests", p, w.count("10.0.0.1:8000"))
		}
	})
}
