package server

import (
	"errors"
	"fmt"
	"time"
)

// Validate returns an error that names each option that is out of its range, by its flag.
func (o Options) Validate() error {
	return errors.Join(
		between("--queue-proxy-interval", o.QueueProxyInterval, 50*time.Millisecond, time.Minute),
		between("--engine-interval", o.EngineInterval, 50*time.Millisecond, time.Minute),
		between("--lease-duration", o.LeaseDuration, 5*time.Second, 5*time.Minute), // renewed every fifth of it
		between("--buckets", o.Buckets, 1, 10),                                     // knative.dev/pkg takes no more
		between("--record-limit", o.RecordLimit, 1, 1<<20),
		o.validatePorts(),
	)
}

func (o Options) validatePorts() error {
	var errs []error
	used := map[int]string{}
	for _, p := range []struct {
		name string
		port int
	}{
		{"the port of the metrics API", o.MetricsAPIPort}, {"the port of the metrics", o.MetricsPort},
		{"the port of the probes", o.HealthPort}, {"the port of the webhook", o.WebhookPort},
	} {
		errs = append(errs, between(p.name, p.port, 1, 65535))
		if other, taken := used[p.port]; taken {
			errs = append(errs, fmt.Errorf("%s and %s are both %d; they must differ", other, p.name, p.port))
		}
		used[p.port] = p.name
	}
	return errors.Join(errs...)
}

func between[T int | uint32 | time.Duration](name string, v, minimum, maximum T) error {
	if v < minimum || v > maximum {
		return fmt.Errorf("%s is %v; it must be from %v to %v", name, v, minimum, maximum)
	}
	return nil
}
