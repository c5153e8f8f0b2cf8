package server

import (
	"strings"
	"testing"
	"time"
)

func TestValidate(t *testing.T) {
	if err := NewOptions().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for _, tt := range []struct {
		edit func(*Options)
		want string
	}{
		{func(o *Options) { o.EngineInterval = -time.Second }, "--engine-interval is -1s; it must be from 50ms to 1m0s"},
		{func(o *Options) { o.QueueProxyInterval = 0 }, "--queue-proxy-interval is 0s"},
		{func(o *Options) { o.LeaseDuration = time.Second }, "--lease-duration is 1s; it must be from 5s to 5m0s"},
		{func(o *Options) { o.Buckets = 0 }, "--buckets is 0; it must be from 1 to 10"},
		{func(o *Options) { o.RecordLimit = -1 }, "--record-limit is -1"},
		{func(o *Options) { o.HealthPort = 0 }, "the port of the probes is 0; it must be from 1 to 65535"},
		{func(o *Options) { o.WebhookPort = o.MetricsPort }, "are both 9090"},
	} {
		o := NewOptions()
		tt.edit(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}
