package binding

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
)

const (
	// maxPoolName leaves room for the suffix that Istio puts on its shadow Service.
	maxPoolName   = 51
	maxObjectName = 63
)

// oneOf sets to when v is among the allowed words.
func oneOf[S ~string](to *S, v string, allowed ...S) error {
	for _, a := range allowed {
		if v == string(a) {
			*to = a
			return nil
		}
	}
	return fmt.Errorf("%q is not one of %s", v, quoted(allowed))
}

func quoted[S ~string](words []S) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = strconv.Quote(string(w))
	}
	return strings.Join(list, ", ")
}

// priority reads a number, or a word of the InferenceModel that used to be.
func priority(v string) (int32, error) {
	switch v {
	case "Critical":
		return 1, nil
	case "Standard":
		return 0, nil
	case "Sheddable":
		return -1, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number from %d to %d, nor \"Critical\" (1), \"Standard\" (0) or \"Sheddable\" (-1); higher goes first, negative is shed when the pool is saturated", v, math.MinInt32, math.MaxInt32)
	}
	return int32(n), nil
}

func gatewayName(v string) (Name, error) {
	ns, name, ok := strings.Cut(v, "/")
	if !ok || len(validation.IsDNS1123Label(ns)) > 0 || len(validation.IsDNS1123Subdomain(name)) > 0 {
		return Name{}, fmt.Errorf("%q is not namespace/name of a Gateway, such as \"knative-serving/knative-gateway\"", v)
	}
	return Name{ns, name}, nil
}

// objectName accepts names that Services may have too.
func objectName(v string, most int) (string, error) {
	if len(v) > most || len(validation.IsDNS1035Label(v)) > 0 {
		return "", fmt.Errorf("%q is not a name of at most %d lower-case letters, digits and '-' that begins with a letter", v, most)
	}
	return v, nil
}

func image(v string) (string, error) {
	if v == "" || strings.ContainsAny(v, " \t\r\n\"'") {
		return "", fmt.Errorf("%q is not the name of an image", v)
	}
	return v, nil
}

// setPicker reads managed, none or service:port.
func setPicker(in *Intent, v string) error {
	if mode := PickerMode(v); mode == PickerManaged || mode == PickerNone {
		in.Picker.Mode, in.Picker.Service, in.Picker.Port = mode, "", 0
		return nil
	}
	service, text, err := net.SplitHostPort(v)
	if err == nil {
		service, err = objectName(service, maxObjectName)
	}
	var port int32
	if err == nil {
		port, err = annotations.AnyPort(text)
	}
	if err != nil {
		return fmt.Errorf("%q is not \"managed\", \"none\", or service:port of a picker in the Service's namespace, such as \"my-epp:9002\"", v)
	}
	in.Picker.Mode, in.Picker.Service, in.Picker.Port = PickerExternal, service, port
	return nil
}
