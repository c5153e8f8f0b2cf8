#!/usr/bin/env bash
# Knative's own end-to-end tests, unmodified, with Knative's autoscaler class and with ours.
#
#   hack/e2e-knative.sh                          every group, in all three columns
#   hack/e2e-knative.sh [-as COLUMNS] [-run REGEXP] [GROUP...]
#
# COLUMNS, separated by commas, say how the tests' Services are scaled: kpa (Knative's class,
# which proves the harness), concurrency (our class, with that metric where a test names
# none), slo (our class with its default metric). test/knative/groups.txt has the groups;
# -run takes only the tests of them whose names match.
#
# A run holds the cluster for at most 12 minutes at a time (turn), so that others have theirs.
# The results go into test/knative/results.json and
# docs/knative-e2e.md, which keep those of the tests that were not run. The exit status is 1
# when a test failed for which test/knative/reasons.txt has no reason.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUTPUT:-_output}
cluster=$out/bin/cluster
columns=kpa,concurrency,slo only=. turn=720
while [[ ${1:-} == -* ]]; do
  case $1 in
    -as) columns=${2:?-as COLUMNS} ;;
    -run) only=${2:?-run REGEXP} ;;
    *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
if [[ ${IPA_CLUSTER:-} == existing ]]; then
  echo "e2e-knative runs on its own cluster only: the tests dial pods and nodes from inside of its network" >&2
  exit 75
fi
product=(pkg cmd config go.mod)
commit=$(git log -1 --format=%h -- "${product[@]}")
[[ -z $(git status --porcelain -uno -- "${product[@]}") ]] || commit+=+changes
mkdir -p "$out/knative" "$out/bin"
# The cluster's program of this work tree: cluster.sh would build it at every call.
CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOWORK=off go build -C hack/cluster -o "$PWD/$out/bin/cluster" ./cmd/cluster
export IPA_CLUSTER_SRC=$PWD/hack/cluster
root=$("$cluster" root)

kubectl() { "$cluster" kubectl "$@"; }

manifest() { # config/ with the image that was built; the gateway is not needed
  awk 'FNR == 1 { print "---" } { print }' config/*.yaml |
    sed 's,ko://github.com/knative-inference/autoscaler-adapter/cmd/autoscaler-adapter,dev.local/autoscaler-adapter:dev,'
}

# hold takes the cluster for this column, with our class unless it is kpa. What the cluster
# starts must not inherit the lock, file 8.
hold() {
  local start=$SECONDS
  exec 8>"$root/in-use.lock"
  flock -n 8 || { echo "another end-to-end run uses this cluster: waiting for its turn"; flock 8; }
  held=$SECONDS holding=yes
  [[ $held == "$start" ]] || echo "waited $((held - start)) s"
  trap release EXIT
  "$cluster" up 8>&- >/dev/null
  build=$("$cluster" part knative-e2e 8>&-)
  [[ $column == kpa ]] || install
}

install() {
  "$cluster" load-image "dev.local/autoscaler-adapter:dev=$out/images/autoscaler-adapter.tar" >/dev/null
  manifest | kubectl apply -f - >/dev/null
  for d in autoscaler-adapter autoscaler-adapter-webhook; do
    kubectl -n knative-inference rollout status "deployment/$d" --timeout=180s >/dev/null
  done
  activator_metrics '"prometheus"'
}

activator_metrics() { # our class goes to zero only while the activator serves its metrics
  configure config-observability metrics-protocol "$1"
  kubectl -n knative-serving rollout restart deployment/activator >/dev/null
  kubectl -n knative-serving rollout status deployment/activator --timeout=90s >/dev/null
}

configure() { # config-map key value: a value in JSON; null takes the key away
  kubectl -n knative-serving patch configmap "$1" --type=merge -p "{\"data\":{\"$2\":$3}}" >/dev/null
}

# release removes what was made and lets others have the cluster. The product goes last:
# its class takes its Services down.
release() {
  trap - EXIT
  holding=
  configure config-autoscaler allow-zero-initial-scale null
  kubectl delete namespace -l knative-e2e --ignore-not-found --timeout=60s >/dev/null || true
  if [[ $column != kpa ]]; then
    manifest | kubectl delete --ignore-not-found --timeout=120s -f - >/dev/null || true
    kubectl wait --for=delete apiservice/v1beta1.custom.metrics.k8s.io --timeout=60s >/dev/null 2>&1 || true
    activator_metrics null || true
  fi
  exec 8>&-
  echo "held the cluster for $((SECONDS - held)) s"
}

try() { # group package parallel minutes tests: one group in this column
  local json=$out/knative/$column-$1.json class=() extra=()
  [[ $column == kpa ]] || class=(-class ipa.autoscaling.knative-inference.dev)
  [[ $column != concurrency ]] || class+=(-metric concurrency)
  [[ $1 != scale ]] || extra+=(-test.short)
  [[ $1 != ha ]] || extra+=(--spoofinterval=10ms)
  kubectl delete namespace "kn-$1" --ignore-not-found --timeout=120s >/dev/null
  printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: kn-%s, labels: {knative-e2e: ""}}\n' "$1" | kubectl create -f - >/dev/null
  [[ $1 != init-zero ]] || configure config-autoscaler allow-zero-initial-scale '"true"'
  echo "== $1 as $column: ${5//|/ }"
  GATEWAY_OVERRIDE=kourier GATEWAY_NAMESPACE_OVERRIDE=kourier-system SYSTEM_NAMESPACE=knative-serving \
    "$cluster" exec-net "$build/bin/classproxy" -kubeconfig "$("$cluster" kubeconfig)" -server https://10.96.0.1 "${class[@]}" -- \
    "$build/bin/${2##*/}.test" -test.v=test2json -test.run "^($5)\$" -test.parallel "$3" -test.timeout "$4m" "${extra[@]}" \
    --ingressendpoint=10.200.0.10 --imagetemplate 'dev.local/kn-test/{{.Name}}:v0.50.0' --test-namespace "kn-$1" \
    --disable-logstream --ingress-class=kourier.ingress.networking.knative.dev 2>&1 8>&- |
    "$out/bin/test2json" -t -p "knative.dev/serving/test/$2" >"$json" || true # what failed is in it
  [[ $1 != init-zero ]] || configure config-autoscaler allow-zero-initial-scale null
  { "$out/bin/testsum" -v <"$json" || true; } | { grep -E '^ *--- (PASS|FAIL|SKIP)|_test.go:|passed,' || true; } | tail -40
  [[ $column == kpa ]] || kubectl -n knative-inference logs -l app.kubernetes.io/part-of=autoscaler-adapter --prefix --tail=-1 >"${json%.json}.log" 2>&1 || true
  "$out/bin/knativetable" -add "$column=$json" -commit "$commit" -date "$(date -u +%F)"
}

go build -o "$out/bin/" ./hack/testsum ./hack/knativetable cmd/test2json
[[ $columns == kpa || ${IPA_E2E_IMAGES:-} == skip ]] || make --no-print-directory image >"$out/knative/image.log" 2>&1 || { cat "$out/knative/image.log"; exit 1; }
groups=$("$out/bin/knativetable" -groups)
[[ $# == 0 ]] || groups=$(grep -E "^($(IFS='|'; echo "$*")) " <<<"$groups") || { echo "no group $*; there are:"; echo "$groups"; exit 2; }
for column in ${columns//,/ }; do
  holding=
  while read -r name package parallel minutes tests; do
    tests=$(tr '|' '\n' <<<"$tests" | grep -E "$only" | paste -sd '|') || continue
    [[ -z $holding ]] || ((SECONDS - held + minutes * 60 <= turn)) || { release; sleep 5; } </dev/null # others come first
    [[ -n $holding ]] || hold </dev/null
    try "$name" "$package" "$parallel" "$minutes" "$tests" </dev/null
  done <<<"$groups"
  [[ -z $holding ]] || release
done
"$out/bin/knativetable" -check
