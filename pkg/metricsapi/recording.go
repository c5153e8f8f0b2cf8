package metricsapi

import "net/http"

// recordingPath is below the API's group, so that kubectl get --raw reaches it through the
// API server, which says who asks. It is authorised as a list of the cluster-scoped
// resource "recording" of the group.
const recordingPath = "/apis/" + GroupName + "/v1beta2/recording"

// recordingDirectPath is for callers of one replica's port 8443 with a token of their own:
// a non-resource URL, for clusters where another adapter has the API group.
const recordingDirectPath = "/recording"

// withRecording serves the recording beside the API. The handler it returns stands behind
// authentication and authorisation.
func withRecording(recording http.Handler) func(http.Handler) http.Handler {
	return func(api http.Handler) http.Handler {
		if recording == nil {
			return api
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && (r.URL.Path == recordingPath || r.URL.Path == recordingDirectPath) {
				recording.ServeHTTP(w, r)
				return
			}
			api.ServeHTTP(w, r)
		})
	}
}
