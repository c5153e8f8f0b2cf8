package servingcert

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/liveness"
	"github.com/knative-inference/autoscaler-adapter/pkg/liveness/livenesstest"
)

// silentSecrets are those of an API server that keeps the connection and does not answer; a
// deaf one does not even end with the request's context.
type silentSecrets struct {
	corev1client.SecretInterface
	deaf chan struct{}
}

func (s silentSecrets) Get(ctx context.Context, _ string, _ metav1.GetOptions) (*corev1.Secret, error) {
	if s.deaf != nil {
		<-s.deaf
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// A loop that waits for a silent API server goes on at its own deadline; one that hangs is seen
// 30 s after its next round was due.
func TestRun_standstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name string
			deaf chan struct{}
			want string
		}{
			{"a silent API server", nil, ""},
			{"a call that never returns", make(chan struct{}), "the renewal of the certificate " + testSecret},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			secrets := silentSecrets{fake.NewClientset().CoreV1().Secrets(testNamespace), tt.deaf}
			alive := liveness.New()
			go New(secrets, testSecret, testHost, slog.New(slog.DiscardHandler)).Run(ctx, alive)
			if _, err := livenesstest.Probe(alive, 30*time.Second, 10*time.Minute); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
			}
			cancel()
			if tt.deaf != nil {
				close(tt.deaf)
			}
			synctest.Wait()
		}
	})
}
