package enginetoken

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// maxToken is the longest token in bytes.
const maxToken = 16 << 10

func fail(cause collector.TokenCause, format string, args ...any) error {
	return collector.TokenError{Cause: cause, Text: fmt.Sprintf(format, args...)}
}

// tokenOf takes the token out of a Secret. Blanks and line ends around it are left out, as
// they come into a Secret that was made of a file. The errors say nothing of its content.
func tokenOf(secret *corev1.Secret, k collector.SecretKey) (string, error) {
	value, ok := secret.Data[k.Key]
	token := bytes.TrimSpace(value)
	switch {
	case !ok:
		return "", fail(collector.TokenMissing, "the Secret %q has no key %q", k.Name, k.Key)
	case len(token) == 0:
		return "", fail(collector.TokenInvalid, "the key %q of the Secret %q is empty", k.Key, k.Name)
	case len(token) > maxToken:
		return "", fail(collector.TokenInvalid, "the key %q of the Secret %q has %d bytes; a token has at most %d", k.Key, k.Name, len(token), maxToken)
	case bytes.ContainsFunc(token, func(r rune) bool { return r < ' ' || r > '~' }):
		return "", fail(collector.TokenInvalid, "the key %q of the Secret %q has a character that no token has: a line end, another control character, or one outside of ASCII", k.Key, k.Name)
	}
	return string(token), nil
}

// refusal says why a Secret could not be read. Only the status of an answer is reported, not
// its text: it may quote what was being decoded.
func refusal(k collector.SecretKey, err error) error {
	var unsent *url.Error
	switch {
	case apierrs.IsForbidden(err):
		return fail(collector.TokenForbidden, "the autoscaler has no right to read the Secret %q", k.Name)
	case apierrs.IsNotFound(err):
		return fail(collector.TokenMissing, "there is no Secret %q in the namespace", k.Name)
	case errors.Is(err, context.DeadlineExceeded):
		return fail(collector.TokenUnread, "the API server did not send the Secret %q within %s", k.Name, timeout)
	case errors.As(err, &unsent):
		return fail(collector.TokenUnread, "the API server cannot be asked for the Secret %q: %v", k.Name, unsent.Err)
	default:
		return fail(collector.TokenUnread, "the API server did not send the Secret %q: %q", k.Name, apierrs.ReasonForError(err))
	}
}

// isUnread reports whether an error says nothing of the Secret itself.
func isUnread(err error) bool {
	var why collector.TokenError
	return errors.As(err, &why) && why.Cause == collector.TokenUnread
}
