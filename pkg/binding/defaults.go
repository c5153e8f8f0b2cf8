package binding

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

// ConfigName is the ConfigMap of the cluster's defaults.
const ConfigName = "config-inference-gateway"

// Keys of the ConfigMap that are no annotations of a Service.
const (
	bodyRouterKey      = "body-based-router"
	bodyRouterImageKey = "body-based-router-image"
	engineKey          = "engine"
	allowedHostsKey    = "allowed-hostnames"
	allowedGatewaysKey = "allowed-gateways"
	allowedImagesKey   = "allowed-epp-images"
	allowedKeysKey     = "allowed-annotations"
)

// Defaults are the Intent of a Service that says nothing but that it wants the
// gateway: config-inference-gateway, with the documented default of every key
// that the config map leaves out.
type Defaults Intent

// ParseDefaults reads the data of config-inference-gateway. Errors name the key,
// the value and what is allowed; a wrong value leaves the documented default.
func ParseDefaults(data map[string]string) (Defaults, error) {
	in := Intent(builtin())
	known := clusterSettings()
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if strings.HasPrefix(key, "_") {
			continue
		}
		set, ok := known[key]
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %s: unknown key%s", ConfigName, key, annotations.Nearest(key, slices.Sorted(maps.Keys(known)))))
			continue
		}
		if err := set(&in, data[key]); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", ConfigName, key, err))
		}
	}
	return Defaults(in), errors.Join(errs...)
}

// clusterSettings are the keys of the config map: annotations without their
// domain, and what only an administrator decides.
func clusterSettings() map[string]func(*Intent, string) error {
	known := map[string]func(*Intent, string) error{
		bodyRouterKey: func(in *Intent, v string) error {
			return oneOf(&in.BodyRouter.Mode, v, BodyRouterOff, BodyRouterManaged, BodyRouterExternal)
		},
		bodyRouterImageKey: func(in *Intent, v string) (err error) { in.BodyRouter.Image, err = image(v); return err },
		engineKey:          func(in *Intent, v string) error { return oneOf(&in.Engine, v, engines.Names()...) },
		allowedHostsKey:    func(in *Intent, v string) (err error) { in.AllowedHosts, err = hostPatterns(v); return err },
		allowedGatewaysKey: func(in *Intent, v string) (err error) { in.AllowedGateways, err = globs(v); return err },
		allowedImagesKey:   func(in *Intent, v string) (err error) { in.AllowedImages, err = globs(v); return err },
		allowedKeysKey:     func(in *Intent, v string) (err error) { in.AllowedKeys, err = reservedKeys(v); return err },
	}
	for _, s := range settings() {
		if a, _ := annotations.ByKey(s.key); a.InConfigMap {
			known[a.Name()] = s.set
		}
	}
	return known
}

// builtin has the default of each annotation, and of the keys that only an
// administrator decides.
func builtin() Defaults {
	in := Intent{
		AllowedHosts: []string{"*." + namespacePlaceholder + "." + domainPlaceholder},
		BodyRouter:   BodyRouter{Mode: BodyRouterOff, Image: "registry.k8s.io/gateway-api-inference-extension/bbr:v1.5.0"},
		Engine:       engines.VLLM,
	}
	for _, s := range settings() {
		if a, _ := annotations.ByKey(s.key); a.Default != "" {
			_ = s.set(&in, a.Default) //nolint:errcheck TestBuiltin reads every default
		}
	}
	return Defaults(in)
}
