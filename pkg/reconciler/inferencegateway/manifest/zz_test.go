package manifest

import (
	_ "sigs.k8s.io/gateway-api-inference-extension/api/v1"
	_ "sigs.k8s.io/gateway-api-inference-extension/apix/v1alpha2"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
