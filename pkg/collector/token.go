package collector

import (
	"errors"
	"fmt"
	"strings"
)

// SecretKey is one key of a Secret; the zero value is none.
type SecretKey struct{ Name, Key string }

// Tokens has the bearer tokens of metrics endpoints. Its methods are called for each scrape
// and do not block; they are safe for concurrent use.
type Tokens interface {
	// Token returns the token in a key of a Secret: 1 to 16,384 printable characters of
	// ASCII. Otherwise the error is a TokenError.
	Token(namespace string, k SecretKey) (string, error)
	// Refused says that an engine did not take a token: the Secret may have a newer one.
	Refused(namespace string, k SecretKey, token string)
}

// TokenError says why there is no token. Its text has no part of a token.
type TokenError struct {
	Cause TokenCause
	Text  string
}

// Error returns Text.
func (e TokenError) Error() string { return e.Text }

// TokenCause is why there is no token.
type TokenCause string

// The causes, which are those of a Problem as well.
const (
	// TokenForbidden is a Secret that this program has no right to read.
	TokenForbidden TokenCause = "token_forbidden"
	// TokenMissing is a Secret or key that does not exist.
	TokenMissing TokenCause = "token_missing"
	// TokenInvalid is a value that cannot be a token.
	TokenInvalid TokenCause = "token_invalid"
	// TokenUnread is a Secret that was not read yet, or could not be.
	TokenUnread TokenCause = "token_unread"
)

// noTokens is a program that reads no Secrets.
type noTokens struct{}

func (noTokens) Token(string, SecretKey) (string, error) {
	return "", TokenError{TokenUnread, "this program reads no Secrets"}
}
func (noTokens) Refused(string, SecretKey, string) {}

// authorize puts the token that the page asks for into the next requests. Without it there
// is no request: a page that is refused says less than why there is no token.
//
// A token goes only to a pod whose queue-proxy answered lately, at the same address, with
// the name of this pod: an address may be that of another pod by now.
func (c *Collector) authorize(t *target) error {
	if t.token = ""; t.secret == (SecretKey{}) {
		return nil
	}
	if !t.isConfirmed() {
		return failure{cause: causeToken, kind: "token_withheld",
			err: errors.New("the queue-proxy at the pod's address has not confirmed the pod's name, so no token is sent there")}
	}
	token, err := c.o.Tokens.Token(t.rev.key.Namespace, t.secret)
	if err != nil {
		f := failure{cause: causeToken, kind: string(TokenUnread), err: err}
		if why := (TokenError{}); errors.As(err, &why) {
			f.kind = string(why.Cause)
		}
		return f
	}
	t.token = token
	t.connection.Authorize(token)
	return nil
}

// isConfirmed reports whether the queue-proxy at the target's address is known to be the
// pod's own.
func (t *target) isConfirmed() bool {
	t.rev.mu.Lock()
	defer t.rev.mu.Unlock()
	p := t.pod
	return p.named && p.targets[t.source] == t && p.targets[queueProxy].fresh(t.rev.c.clock.now()) && !p.isOfAnotherPod()
}

// withoutToken returns the error of a scrape as it may be logged and shown: what a server
// sends back of the token that it got is left out. It also has a token that was not taken
// read again.
func (c *Collector) withoutToken(t *target, err error) error {
	if err == nil || t.token == "" {
		return err
	}
	if fineCause(err) == kindUnauthorized {
		c.o.Tokens.Refused(t.rev.key.Namespace, t.secret, t.token)
		return failure{cause: cause(err), kind: "token_refused",
			err: fmt.Errorf("%s to a request with the token in the key %.80q of the Secret %.80q", concealed(err.Error(), t.token), t.secret.Key, t.secret.Name)}
	}
	if text := concealed(err.Error(), t.token); text != err.Error() {
		return failure{cause: cause(err), kind: fineCause(err), err: errors.New(text)}
	}
	return err
}

// minReveal is the number of characters of a token in a row that a text may not have:
// messages quote what servers send, cut to any length.
const minReveal = 6

// concealed is a text with "[...]" in place of every part of a token.
func concealed(text, token string) string {
	n := min(minReveal, len(token))
	if n == 0 {
		return text
	}
	var out strings.Builder
	for at := 0; at < len(text); {
		end := at
		for end+n <= len(text) && strings.Contains(token, text[end:end+n]) {
			end++
		}
		if end == at {
			out.WriteByte(text[at])
			at++
			continue
		}
		out.WriteString("[...]")
		at = end + n - 1
	}
	return out.String()
}
