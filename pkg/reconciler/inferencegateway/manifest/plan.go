// Package manifest renders the objects that one Service's binding needs. It is
// pure: an Intent and a World in, a Plan out.
package manifest

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Plan is what should exist.
type Plan struct {
	// Objects of this Service in the order of applying; delete in the reverse order of Stage.
	Objects []Object
	// Gateway are the objects that serve the whole Gateway: apply them before
	// Objects, delete each when no Service's Plan has it any more.
	Gateway []Object
	// Findings say what could not be done, or not as asked.
	Findings []Finding
	// Pods are the labels of the pods of each revision; keys of PodLabelKeys that are not in it are removed.
	Pods         map[string]map[string]string
	PodLabelKeys []string
	// Routed says which revisions the pool or pools serve.
	Routed map[string]bool
	// Pools are the names of the pools, by revision in mode revision, under "" otherwise.
	Pools map[string]string
	// Coming are the pools that the Gateway has to know before a route of StageRoute is changed.
	Coming []string
	// TargetPort is the pools' port, in mode revision that of the largest share.
	TargetPort int32
	// Hold is how long a pod that has become Ready stays hidden from the picker; 0 does not hide it.
	Hold time.Duration
	// Provider is what the Plan was made for; ObjectiveGroup the API group that the picker reads.
	Provider       Provider
	ObjectiveGroup string
	// Hosts are all hosts that the routes serve.
	Hosts []string
}

// Object is one of a Plan.
type Object struct {
	*unstructured.Unstructured
	Stage     Stage
	Ownership Ownership
}

// Stage orders objects: a lower one is applied earlier and deleted later.
type Stage int

// The stages. Filters come before routes: a split without its filter would
// send everything to the first revision. StageComing introduces pools to the Gateway.
const (
	StagePicker Stage = iota
	StagePool
	StageObjective
	StageFilter
	StageComing
	StageRoute
)

// Ownership says how an object ends.
type Ownership int

// The ownerships.
const (
	// Controlled has the Service as its controller.
	Controlled Ownership = iota
	// Shared has every Service of the pool as an owner, none as the controller.
	Shared
	// Labelled is in another namespace: no owner reference, found by its labels
	// OwnerNamespaceKey and OwnerServiceKey and deleted with its Service.
	Labelled
	// GatewayWide serves all Services of a Gateway: labels only, deleted with the last.
	GatewayWide
)

// Finding is a condition that is not as asked. Status is False or Unknown, or
// True for one that only informs.
type Finding struct {
	Type, Status, Reason, Message string
}
