package enginetoken

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// cluster has one Secret, or an error in place of any.
type cluster struct {
	mu    sync.Mutex
	data  map[string][]byte
	err   error
	delay time.Duration
	asked map[string]int
}

func (c *cluster) get(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	c.mu.Lock()
	data, err, delay := c.data, c.err, c.delay
	if c.asked == nil {
		c.asked = map[string]int{}
	}
	c.asked[namespace+"/"+name]++
	c.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return &corev1.Secret{Data: data}, nil
}

func (c *cluster) set(token string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.data, c.err = map[string][]byte{"token": []byte(token)}, err
}

// count is how often the Secret of the namespace models was read.
func (c *cluster) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked["models/llm"]
}

var (
	secrets   = schema.GroupResource{Resource: "secrets"}
	forbidden = apierrs.NewForbidden(secrets, "llm", errors.New("no role"))
	missing   = apierrs.NewNotFound(secrets, "llm")
	k         = collector.SecretKey{Name: "llm", Key: "token"}
)

// run is a store that runs inside a synctest bubble.
func run(t *testing.T, c *cluster) *Store {
	s := New(c.get, "knative-inference")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

// ask asks four times a second, as the scrapes of an engine do, and returns the last answer.
func ask(s *Store, namespace string, during time.Duration) (token string, err error) {
	for range during / (250 * time.Millisecond) {
		_, _ = s.Token(namespace, k)
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
	}
	return s.Token(namespace, k)
}

func causeOf(err error) collector.TokenCause {
	var why collector.TokenError
	_ = errors.As(err, &why)
	return why.Cause
}

// No right, then a grant; a newer token; the Secret goes; the right is taken away. Each is
// known within the time that the documents say, for few requests.
func TestStore_story(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{}
		c.set("one", forbidden)
		s := run(t, c)
		if _, err := s.Token("models", k); causeOf(err) != collector.TokenUnread {
			t.Errorf("before the first reading: %v", err)
		}
		expect := func(during time.Duration, want string, cause collector.TokenCause, maxAsked int) {
			t.Helper()
			before := c.count()
			token, err := ask(s, "models", during)
			if n := c.count() - before; token != want || causeOf(err) != cause || n > maxAsked {
				t.Errorf("%q, %v after %d readings; want %q, %q after at most %d", token, err, n, want, cause, maxAsked)
			}
		}
		expect(time.Minute, "", collector.TokenForbidden, 13)
		c.set("one", nil)
		expect(6*time.Second, "one", "", 2)
		expect(10*time.Minute, "one", "", 21)
		c.set("two", nil)
		expect(31*time.Second, "two", "", 2)
		c.set("", missing)
		expect(31*time.Second, "", collector.TokenMissing, 2)
		c.set("two", nil)
		expect(6*time.Second, "two", "", 2)
		c.set("two", forbidden)
		expect(31*time.Second, "", collector.TokenForbidden, 2)
	})
}

// A token that an engine refuses is read again at once, and every five seconds while it
// goes on refusing it; one that is not the newest is not.
func TestStore_refused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{}
		c.set("one", nil)
		s := run(t, c)
		_, _ = ask(s, "models", 10*time.Second)
		c.set("two", nil)
		s.Refused("models", k, "one")
		synctest.Wait()
		if token, err := s.Token("models", k); token != "two" || err != nil {
			t.Errorf("at once: %q, %v", token, err)
		}
		before := c.count()
		for range 100 {
			s.Refused("models", k, "one")
			time.Sleep(100 * time.Millisecond)
		}
		if n := c.count() - before; n > 0 {
			t.Errorf("read %d times for a token of before", n)
		}
		for range 100 {
			s.Refused("models", k, "two")
			time.Sleep(100 * time.Millisecond)
		}
		if n := c.count() - before; n != 2 {
			t.Errorf("read %d times in 10 s for a token that is refused all the time, want 2", n)
		}
		s.Refused("models", collector.SecretKey{Name: "other", Key: "token"}, "two")
		s.Refused("elsewhere", k, "two")
		synctest.Wait()
		if len(c.asked) != 1 {
			t.Errorf("asked for %v", c.asked)
		}
	})
}

// While the API server does not answer, the token that is known stays; one that was never
// read is unknown, with the cause.
func TestStore_apiServerAway(t *testing.T) {
	for name, away := range map[string]func(*cluster){
		"overloaded": func(c *cluster) { c.err = apierrs.NewTooManyRequestsError("later") },
		"unreachable": func(c *cluster) {
			c.err = &url.Error{Op: "Get", URL: "https://10.96.0.1/", Err: errors.New("connection refused")}
		},
		"silent": func(c *cluster) { c.delay = time.Hour },
		"broken": func(c *cluster) { c.err = errors.New("unable to decode: b25l") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &cluster{}
				c.set("one", nil)
				s := run(t, c)
				_, _ = ask(s, "models", time.Second)
				c.mu.Lock()
				away(c)
				c.mu.Unlock()
				if token, err := ask(s, "models", time.Hour); token != "one" || err != nil {
					t.Errorf("a known token: %q, %v", token, err)
				}
				if n := c.count(); n > 800 {
					t.Errorf("read %d times in an hour", n)
				}
				token, err := ask(s, "others", time.Minute)
				if token != "" || causeOf(err) != collector.TokenUnread || !strings.Contains(err.Error(), "llm") || strings.Contains(err.Error(), "b25l") {
					t.Errorf("one that was never read: %q, %v", token, err)
				}
			})
		})
	}
}

// A Service reaches the Secrets of its own namespace, none of ours, and not more keys than
// the bound; what nobody asks for is forgotten.
func TestStore_bounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{}
		c.set("one", nil)
		s := run(t, c)
		if token, err := ask(s, "knative-inference", time.Minute); token != "" || causeOf(err) != collector.TokenInvalid || len(c.asked) > 0 {
			t.Errorf("our own namespace: %q, %v, asked for %v", token, err, c.asked)
		}
		numbered := func(i int) (string, error) {
			return s.Token("greedy", collector.SecretKey{Name: fmt.Sprint("s", i), Key: "token"})
		}
		for range 20 {
			for i := range 100 {
				_, _ = numbered(i)
			}
			time.Sleep(time.Second)
		}
		known := 0
		for i := range 100 {
			token, err := numbered(i)
			if token == "one" {
				known++
			} else if causeOf(err) != collector.TokenUnread || !strings.Contains(err.Error(), "more than 32") {
				t.Errorf("beyond the bound: %v", err)
			}
		}
		if known != maxPerNamespace || len(c.asked) != maxPerNamespace {
			t.Errorf("%d known, asked for %d, want %d", known, len(c.asked), maxPerNamespace)
		}
		if token, _ := ask(s, "models", time.Second); token != "one" {
			t.Error("one namespace's bound is another's")
		}
		time.Sleep(10 * time.Minute)
		if s.mu.Lock(); len(s.namespaces) > 0 {
			t.Errorf("kept: %v", len(s.namespaces))
		}
		s.mu.Unlock()
		if _, err := numbered(99); strings.Contains(err.Error(), "more than") {
			t.Errorf("after the others were forgotten: %v", err)
		}
	})
}

// What is in a Secret becomes a token that a header can have, or an error that does not
// show it.
func TestTokenOf(t *testing.T) {
	for _, tt := range []struct {
		name, value, want string
		cause             collector.TokenCause
	}{
		{"a token", "sk-abc.DEF_123~+/=", "sk-abc.DEF_123~+/=", ""},
		{"of a file", "  abc\r\n", "abc", ""},
		{"the longest", strings.Repeat("a", 16<<10), strings.Repeat("a", 16<<10), ""},
		{"too long", strings.Repeat("a", 16<<10+1), "", collector.TokenInvalid},
		{"another header", "abc\r\nX-Forwarded-For: 10.0.0.1", "", collector.TokenInvalid},
		{"another request", "abc\n\nGET /admin HTTP/1.1", "", collector.TokenInvalid},
		{"a zero byte", "abc\x00def", "", collector.TokenInvalid},
		{"delete", "abc\x7f", "", collector.TokenInvalid},
		{"not ASCII", "abcé", "", collector.TokenInvalid},
		{"no text", "abc\xff\xfe", "", collector.TokenInvalid},
		{"empty", "", "", collector.TokenInvalid},
		{"blank", " \n", "", collector.TokenInvalid},
	} {
		got, err := tokenOf(&corev1.Secret{Data: map[string][]byte{"token": []byte(tt.value)}}, k)
		if got != tt.want || causeOf(err) != tt.cause {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
		if err != nil && (strings.Contains(err.Error(), "abc") || strings.Contains(err.Error(), "aaaa")) {
			t.Errorf("%s: the error shows it: %v", tt.name, err)
		}
	}
	if _, err := tokenOf(&corev1.Secret{}, k); causeOf(err) != collector.TokenMissing || !strings.Contains(err.Error(), `no key "token"`) {
		t.Errorf("no key: %v", err)
	}
}

func FuzzTokenOf(f *testing.F) {
	f.Add([]byte("abc\r\nX: y"))
	f.Add([]byte(" abc\n"))
	f.Fuzz(func(t *testing.T, value []byte) {
		token, err := tokenOf(&corev1.Secret{Data: map[string][]byte{"token": value}}, k)
		for _, b := range []byte(token) {
			if b < ' ' || b > '~' {
				t.Errorf("%q has a character that a header must not have", token)
			}
		}
		if (err == nil) != (token != "") || len(token) > maxToken {
			t.Errorf("%d bytes, %v", len(token), err)
		}
	})
}
