package annotations

import (
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// gateway lists the annotations of the inference gateway, in the order in which they
// are read: ours after those of ACK, over which ours win.
func gateway() []Annotation {
	return slices.Concat(ack(), route(), pool(), picker(), requests())
}

// ack lists the keys of Alibaba ACK that are understood verbatim.
func ack() []Annotation {
	return []Annotation{
		{Key: inference.ACKGatewayKey, Place: Service, Kind: words(inference.Enabled)},
		{Key: inference.ACKPriorityKey, Place: Service, Kind: Text{"as priority"}},
	}
}

func route() []Annotation {
	return []Annotation{
		{Key: inference.AIGatewayKey, Place: Service, Kind: words(inference.Enabled, inference.Disabled),
			Doc: "asks for the gateway. `disabled` overrules ACK's key"},
		{Key: inference.GatewayKey, Place: Service, InConfigMap: true, Kind: Text{"namespace/name"}, Default: "knative-serving/knative-gateway",
			Doc: "the Gateway that the route attaches to; [another one](#what-is-for-the-administrator) only where `allowed-gateways` lists it"},
		{Key: inference.ListenerKey, Place: Service, InConfigMap: true, Kind: Text{"name, or `*` for all"}, Default: "llm-gw",
			Doc: "its listener. With `*` also that of Knative's own routes, which then answer other paths only"},
		{Key: inference.ProviderKey, Place: Service, InConfigMap: true, Kind: words(Auto, "istio", "agentgateway", "envoy-gateway", "nginx", "gke", "ack"), Default: Auto,
			Doc: "what the gateway is; auto: by the GatewayClass's controller. [For the administrator](#what-is-for-the-administrator) unless `allowed-annotations` lists it"},
		{Key: inference.HostnamesKey, Place: Service, Kind: Text{"up to 16 hosts"},
			Doc: "[hosts](#hosts) besides those of the Knative route"},
		{Key: inference.PathsKey, Place: Service, InConfigMap: true, Kind: Text{"up to 16 exact paths"}, DefaultDoc: "the engine's",
			Doc: "POST paths that go to the pool, in place of `/v1/chat/completions`, `/v1/completions`, `/v1/responses`, `/v1/embeddings`, with a picker of llm-d `/v1/messages`; [Triton's](#engines)"},
		{Key: inference.OtherPathsKey, Place: Service, InConfigMap: true, Kind: words(OtherPathsKnative, OtherPathsNone), Default: OtherPathsKnative,
			Doc: "the route of requests that are not for inference, such as `GET /v1/models`: Knative's own way to the revisions, which wakes them from [zero](#zero), or none (404). Not for Services that share a host by `model` or `match-headers`"},
		{Key: inference.RequestTimeoutKey, Place: Service, InConfigMap: true, Kind: Duration{Max: 24 * time.Hour, Millis: true, Example: "30s", Why: "0s is no timeout"}, Default: "0s",
			Doc: "of the route; 0s is none"},
	}
}

func pool() []Annotation {
	return []Annotation{
		{Key: inference.PoolModeKey, Place: Service, InConfigMap: true, Kind: words(PoolPerService, PoolPerRevision), Default: PoolPerService,
			Doc: "one pool for all revisions, or one for each with exact shares: [canaries](#canaries-and-tags)"},
		{Key: inference.PoolKey, Place: Service, Kind: Text{"a name up to 51 characters"}, DefaultDoc: "the Service's",
			Doc: "a pool [shared](#shared-and-foreign-pools) with other Services, or somebody else's"},
		{Key: inference.SelectorKey, Place: Service, Kind: Text{"`key=value,...`"}, DefaultDoc: "`serving.knative.dev/service=NAME`",
			Doc: "labels of the pool's pods instead; `routed=true` is added, so a revision without traffic stays out"},
		{Key: inference.TargetKey, Place: Service, InConfigMap: true, Kind: words(PortQueueProxy, PortUserContainer), Default: PortQueueProxy,
			Doc: "port 8012 (8013 for h2c), or the container's own: past concurrency, its limit and draining. Refused when the Service scales on concurrency or rps"},
		{Key: inference.FailureModeKey, Place: Service, InConfigMap: true, Kind: words(FailOpen, FailClose), Default: FailOpen,
			Doc: "without a picker requests go on round-robin, or fail. Always FailClose on a gateway that would go by [the client's own header](#priorities)"},
		{Key: inference.EndpointHoldKey, Place: Service, InConfigMap: true, Kind: Duration{Max: time.Minute, Millis: true, Example: "1s", Why: "0s does not hold a Ready pod back"}, Default: "1s",
			Doc: "how long a Ready pod is hidden from the picker, so that the gateway knows it first, and a pod that loses its traffic before it leaves the gateway. Not on agentgateway and NGINX"},
		{Key: inference.AdoptKey, Place: Service, Kind: Bool{}, Default: "false",
			Doc: "takes over objects of our names that nobody controls"},
		{Key: inference.AllowWeightedPoolKey, Place: Service, InConfigMap: true, Kind: Bool{}, Default: "false",
			Doc: "trusts the gateway with several pools in one rule (Istio with istio#61601). [For the administrator](#what-is-for-the-administrator) unless `allowed-annotations` lists it"},
	}
}

func picker() []Annotation {
	return []Annotation{
		{Key: inference.PickerKey, Place: Service, InConfigMap: true, Kind: Text{"`managed`, `none`, service:port"}, Default: "managed",
			Doc: "who picks: we run it, it is built into the gateway, or that Service in the namespace does"},
		{Key: inference.PickerImageKey, Place: Service, InConfigMap: true, Kind: Text{"image"}, Default: "registry.k8s.io/gateway-api-inference-extension/epp:v1.5.0",
			Doc: "of the picker; [another one](#what-is-for-the-administrator) only where `allowed-epp-images` lists it"},
		{Key: inference.PickerReplicasKey, Place: Service, InConfigMap: true, Kind: Whole{1, 10}, Default: "1",
			Doc: "above 1 they elect a leader"},
		{Key: inference.PickerConfigKey, Place: Service, Kind: Text{"name of a ConfigMap"},
			Doc: "its `config.yaml` replaces the one that we render"},
		{Key: inference.PickerFlavorKey, Place: Service, InConfigMap: true, Kind: words(Auto, FlavorGIE, FlavorLLMD), Default: Auto,
			Doc: "what the image understands, and with it the group of objectives: `inference.networking.x-k8s.io` or `llm-d.ai`. auto: llm-d where the image's name says so"},
		{Key: inference.FlowControlKey, Place: Service, InConfigMap: true, Kind: Bool{}, Default: "true",
			Doc: "the picker lets requests wait while no pod can take them, and the autoscaler [counts them](#what-the-picker-holds); without it they go on, or fail at once"},
		{Key: inference.QueueTTLKey, Place: Service, InConfigMap: true, Kind: Duration{Min: time.Second, Max: 24 * time.Hour, Millis: true, Example: "30s", Why: "how long a request may wait in the picker"}, Default: "10m",
			Doc: "how long at most, and a second less than the gateway gives a request: [zero](#zero)"},
		{Key: inference.QueueMaxRequestsKey, Place: Service, InConfigMap: true, Kind: Whole{1, 1_000_000}, Default: "1000",
			Doc: "how many at most, of each priority"},
		{Key: inference.QueueDepthKey, Place: Service, InConfigMap: true, Kind: Whole{1, 10_000}, Default: "5",
			Doc: "requests waiting in the engines, as the mean over the pods, from which on the pool is saturated: [traps](#traps)"},
	}
}

// requests lists the annotations that are about single requests.
func requests() []Annotation {
	return []Annotation{
		{Key: inference.PriorityKey, Place: Service, Kind: Text{"a number, or `Critical` (1), `Standard` (0), `Sheddable` (-1)"}, DefaultDoc: "none",
			Doc: "of the Service's requests: [priorities](#priorities)"},
		{Key: inference.ObjectivesKey, Place: Service, Kind: Text{"`name=priority,...`"},
			Doc: "further priorities, each on a host of its own"},
		{Key: inference.ObjectiveHeaderKey, Place: Service, InConfigMap: true, Kind: words(Auto, HeaderSet, HeaderNone), Default: Auto,
			Doc: "who says the priority: the gateway where it can; the gateway or nobody; the client"},
		{Key: inference.NegativePriorityKey, Place: Service, InConfigMap: true, Kind: words(NegativeShed, NegativeWait), Default: NegativeShed,
			Doc: "requests of a negative priority, while the pool is saturated or at [zero](#zero). `shed`: one waits and wakes a revision, the others get 429. `wait`: they wait as others do, behind them, and do not wake a revision alone"},
		{Key: inference.FairnessIDKey, Place: Service, InConfigMap: true, Kind: words(FairnessRemoved, FairnessClient), Default: FairnessRemoved,
			Doc: "the client's header `x-gateway-inference-fairness-id`: the gateway takes it off, or passes it on: [traps](#traps)"},
		{Key: inference.ModelKey, Place: Service, Kind: Text{"up to 16 names"},
			Doc: "only requests for one of these models: [models](#models-and-headers)"},
		{Key: inference.MatchHeadersKey, Place: Service, Kind: Text{"`header=value,...`"},
			Doc: "only requests that carry all of these"},
		{Key: inference.ModelRewriteKey, Place: Service, Kind: Text{"JSON"},
			Doc: "other names for the engine, by weight"},
	}
}
