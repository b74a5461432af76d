package kubernetes

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What is read of the objects of the API: a small part, in types of our own.

var resources = map[Source]schema.GroupVersionResource{
	EndpointSlices: {Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
	Pods:           {Version: "v1", Resource: "pods"},
}

const (
	serviceLabel = "kubernetes.io/service-name"
	zoneLabel    = "topology.kubernetes.io/zone"
)

type metadata struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace"`
	UID               string            `json:"uid"`
	Labels            map[string]string `json:"labels"`
	DeletionTimestamp *string           `json:"deletionTimestamp"`
}

func (m metadata) key() string { return m.Namespace + "/" + m.Name }

type sliceObject struct {
	Metadata    metadata   `json:"metadata"`
	AddressType string     `json:"addressType"`
	Endpoints   []endpoint `json:"endpoints"`
	Ports       []port     `json:"ports"`
}

type endpoint struct {
	Addresses  []string `json:"addresses"`
	Conditions struct {
		Ready       *bool `json:"ready"`
		Terminating *bool `json:"terminating"`
	} `json:"conditions"`
	Hostname  *string `json:"hostname"`
	NodeName  *string `json:"nodeName"`
	Zone      *string `json:"zone"`
	TargetRef *struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
		UID       string `json:"uid"`
	} `json:"targetRef"`
}

type port struct {
	Name     *string `json:"name"`
	Port     *int64  `json:"port"`
	Protocol *string `json:"protocol"`
}

type podObject struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		Hostname   string      `json:"hostname"`
		Subdomain  string      `json:"subdomain"`
		NodeName   string      `json:"nodeName"`
		Containers []container `json:"containers"`
	} `json:"spec"`
	Status struct {
		Phase             string            `json:"phase"`
		PodIP             string            `json:"podIP"`
		PodIPs            []podIP           `json:"podIPs"`
		Conditions        []condition       `json:"conditions"`
		ContainerStatuses []containerStatus `json:"containerStatuses"`
	} `json:"status"`
}

type container struct {
	Name  string `json:"name"`
	Ports []struct {
		Name          string `json:"name"`
		ContainerPort int64  `json:"containerPort"`
	} `json:"ports"`
}

type podIP struct {
	IP string `json:"ip"`
}

type condition struct {
	Type   string `json:"type"`
	Status string `json:"status"`
}

type containerStatus struct {
	Name  string `json:"name"`
	State struct {
		Waiting *struct {
			Reason string `json:"reason"`
		} `json:"waiting"`
	} `json:"state"`
}

// item is one object as far as it could be read.
type item struct {
	candidates []*candidate
	err        error // why it, or a part of it, is unknown
}

// readObject reads an object that the API server sent.
func (c Config) readObject(obj *unstructured.Unstructured) item {
	var it item
	var err error
	switch c.Source {
	case Pods:
		var p podObject
		if err = decodeObject(obj, "Pod", &p); err == nil {
			it.candidates, it.err = c.fromPod(p)
		}
	default:
		var s sliceObject
		if err = decodeObject(obj, "EndpointSlice", &s); err == nil {
			it.candidates, it.err = c.fromSlice(s)
		}
	}
	if err != nil {
		it.err = fmt.Errorf("%s %s/%s is not readable: %w", c.Source, obj.GetNamespace(), obj.GetName(), err)
	}
	return it
}

// decodeObject decodes an object of a kind.
func decodeObject(obj *unstructured.Unstructured, kind string, into any) error {
	if obj == nil || obj.Object == nil {
		return errors.New("it is empty")
	}
	if got := obj.GetKind(); got != kind {
		return fmt.Errorf("it is of kind %q, want %s", got, kind)
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, into)
}
