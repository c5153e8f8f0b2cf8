package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

const (
	bodyRouterPort       = 9004
	bodyRouterHealthPort = 9005
	// bodyRouterFilterName differs from that of Istio's picker filter, whose
	// settings of a route would otherwise be the router's too.
	bodyRouterFilterName = "envoy.filters.http.ext_proc.bbr"
	// bodyTimeout is for a client's whole body; Envoy's own 200 ms is not for uploads.
	bodyTimeout = "60s"
)

// renderBodyRouter runs one body-based router for the Gateway.
func (b *builder) renderBodyRouter() {
	if len(b.modelsByHeader()) == 0 || b.in.BodyRouter.Mode != binding.BodyRouterManaged || len(b.groups) == 0 {
		return
	}
	name, namespace := fit(b.in.Gateway.Name+"-bbr", maxName), b.in.Gateway.Namespace
	id := func(apiVersion, kind string) identity {
		return identity{apiVersion, kind, namespace, name, "body-router"}
	}
	pod := fields{inference.BodyRouterPodKey: fit(b.in.Gateway.Name, maxName)}
	b.addGatewayWide(StagePicker, id("v1", "ServiceAccount"), fields{"automountServiceAccountToken": false})
	b.addGatewayWide(StagePicker, id("v1", "Service"), fields{"spec": fields{"selector": pod, "ports": list{
		fields{"name": "grpc", "port": int64(bodyRouterPort), "targetPort": int64(bodyRouterPort), "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"}}}})
	b.addGatewayWide(StagePicker, id("apps/v1", "Deployment"), fields{"spec": b.bodyRouterDeployment(name, pod)})
	b.addGatewayWide(StagePicker, id("networking.istio.io/v1", "DestinationRule"), fields{"spec": b.tlsTo(name, namespace)})
	requests := b.modelRequests()
	if requests == nil {
		return
	}
	b.addGatewayWide(StageFilter, id(istioFilterVersion, "EnvoyFilter"), fields{"spec": fields{
		"targetRefs": b.gatewayRef(),
		"configPatches": list{fields{
			"applyTo": "HTTP_FILTER",
			"match":   fields{"context": "GATEWAY", "listener": fields{"filterChain": fields{"filter": fields{"name": "envoy.filters.network.http_connection_manager"}}}},
			"patch":   fields{"operation": "INSERT_FIRST", "value": b.bodyRouterFilter(name, namespace, requests)},
		}},
	}})
}

func (b *builder) bodyRouterDeployment(name string, pod fields) fields {
	c := container("bbr", b.in.BodyRouter.Image, list{
		"--streaming", "--tracing=false", "--enable-pprof=false", "--metrics-endpoint-auth=false", "--zap-encoder=json", "-v=1",
		// The default also watches ConfigMaps; this one plugin needs no rights at all.
		`--plugin=body-field-to-header:model:{"fieldName":"model","headerName":"` + modelHeader + `"}`,
	})
	c["env"] = list{fieldEnv("NAMESPACE", "metadata.namespace")}
	c["ports"] = list{port("grpc", bodyRouterPort), port("grpc-health", bodyRouterHealthPort)}
	c["readinessProbe"] = fields{"grpc": fields{"port": int64(bodyRouterHealthPort)}, "periodSeconds": int64(2)}
	c["livenessProbe"] = fields{"grpc": fields{"port": int64(bodyRouterHealthPort)}, "initialDelaySeconds": int64(5), "periodSeconds": int64(10)}
	c["resources"] = fields{"requests": fields{"cpu": "100m", "memory": "64Mi"}, "limits": fields{"memory": "1Gi"}}
	labels := fields{inference.ComponentKey: "body-router"}
	for k, v := range pod {
		labels[k] = v
	}
	return fields{
		"replicas": int64(1),
		"strategy": fields{"type": "RollingUpdate", "rollingUpdate": fields{"maxUnavailable": int64(0), "maxSurge": int64(1)}},
		"selector": fields{"matchLabels": pod},
		"template": fields{
			"metadata": fields{"labels": labels},
			"spec": fields{
				"serviceAccountName": name,
				// It does not start without a token, although its ServiceAccount may do nothing.
				"automountServiceAccountToken": true,
				"securityContext":              fields{"runAsNonRoot": true, "seccompProfile": fields{"type": "RuntimeDefault"}},
				"containers":                   list{c},
			},
		},
	}
}

// bodyRouterFilter asks the router about requests for inference by model only.
// It refuses bodies that are no JSON and holds whole bodies in memory, so no
// other request of the Gateway may reach it.
func (b *builder) bodyRouterFilter(service, namespace string, requests fields) fields {
	return fields{
		"name": bodyRouterFilterName,
		"typed_config": fields{
			"@type": "type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher",
			"extension_config": fields{
				"name": bodyRouterFilterName,
				"typed_config": fields{
					"@type":              "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
					"failure_mode_allow": false,
					"message_timeout":    bodyTimeout,
					"processing_mode":    fields{"request_header_mode": "SEND", "response_header_mode": "SKIP", "request_body_mode": "FULL_DUPLEX_STREAMED", "request_trailer_mode": "SEND"},
					"grpc_service":       fields{"envoy_grpc": fields{"cluster_name": fmt.Sprintf("outbound|%d||%s", bodyRouterPort, b.hostOf(service, namespace))}},
				},
			},
			"xds_matcher": fields{"matcher_list": fields{"matchers": list{fields{
				"predicate": fields{"not_matcher": requests},
				"on_match":  fields{"action": fields{"name": "skip", "typed_config": fields{"@type": "type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter"}}},
			}}}},
		},
	}
}

// pathsOf are the paths that a Service may be asked for, sorted.
func pathsOf(in binding.Intent) []string {
	paths := slices.Clone(in.Paths)
	if len(paths) == 0 {
		paths = append(slices.Clone(openAI), messages)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// headerIs holds when a header is one of the values, with anything after the separator if there is one.
func headerIs(name, separator string, values ...string) fields {
	single := func(match fields) fields {
		return fields{"single_predicate": fields{
			"input":       fields{"name": strings.TrimPrefix(name, ":"), "typed_config": fields{"@type": "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput", "header_name": name}},
			"value_match": match,
		}}
	}
	or := list{}
	for _, v := range values {
		exact, prefix := fields{"exact": v}, fields{"prefix": v + separator}
		if name == ":authority" {
			exact["ignore_case"], prefix["ignore_case"] = true, true
		}
		or = append(or, single(exact))
		if separator != "" {
			or = append(or, single(prefix))
		}
	}
	return anyOf(or)
}

// anyOf holds when one of the predicates does; Envoy takes no list of one.
func anyOf(or list) fields {
	if len(or) == 1 {
		return or[0].(fields)
	}
	return fields{"or_matcher": fields{"predicate": or}}
}
