package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goconvoke/convoke/internal/strictyaml"
)

// Birth decides who founds a quorum: as soon as Expect members see each other, or all that Names names, or whoever creates a Lease of
// Kubernetes. One of the three is given.
type Birth struct {
	Expect     int              `yaml:"expect"`
	Names      []string         `yaml:"names"`
	Kubernetes *KubernetesBirth `yaml:"kubernetes"`
}

// KubernetesBirth is the Lease that has the founding of a quorum. All of it can be left out.
type KubernetesBirth struct {
	Namespace      string `yaml:"namespace"`       // "" means that of the pod
	Lease          string `yaml:"lease"`           // its name; "" means convoke-CLUSTER
	API            string `yaml:"api"`             // https://host:port; "" means KUBERNETES_SERVICE_HOST and _PORT
	ServiceAccount string `yaml:"service_account"` // directory with token, ca.crt and namespace; "" means where the kubelet puts them
}

// given reports whether one of the three is.
func (b Birth) given() bool { return b.Expect != 0 || len(b.Names) > 0 || b.Kubernetes != nil }

func (b Birth) equal(o Birth) bool {
	return b.Expect == o.Expect && slices.Equal(b.Names, o.Names) && (b.Kubernetes == nil) == (o.Kubernetes == nil) &&
		(b.Kubernetes == nil || *b.Kubernetes == *o.Kubernetes)
}

// validateBirth reports what is wrong with the birth, as far as it is given.
func (q *Quorum) validateBirth() error {
	b := q.Birth
	switch {
	case b.Expect != 0 && len(b.Names) > 0:
		return strictyaml.At("birth.names", errors.New("birth.expect is given too; take one"))
	case b.Kubernetes != nil && (b.Expect != 0 || len(b.Names) > 0):
		return strictyaml.At("birth.kubernetes", errors.New("birth.expect or birth.names is given too; take one"))
	case b.Expect < 0 || b.Expect > maxExpect:
		return strictyaml.At("birth.expect", fmt.Errorf("%d: want 1 to %d", b.Expect, maxExpect))
	case b.Kubernetes != nil:
		return b.Kubernetes.validate()
	}
	var errs []error
	for i, name := range b.Names {
		at := fmt.Sprintf("birth.names[%d]", i)
		switch {
		case name == "":
			errs = append(errs, strictyaml.At(at, errors.New("a name is missing")))
		case slices.Contains(b.Names[:i], name):
			errs = append(errs, strictyaml.At(at, fmt.Errorf("%q is given twice", name)))
		case !q.isEligible(name):
			errs = append(errs, strictyaml.At(at, fmt.Errorf("%q is not eligible as a voter by quorum.eligible", name)))
		}
	}
	return errors.Join(errs...)
}

// kubernetesName is what names of namespaces and Leases are made of.
var kubernetesName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)

func (k *KubernetesBirth) validate() error {
	var errs []error
	for key, name := range map[string]string{"namespace": k.Namespace, "lease": k.Lease} {
		if !kubernetesName.MatchString(cmp.Or(name, "x")) {
			errs = append(errs, strictyaml.At("birth.kubernetes."+key, fmt.Errorf("%.80q is not a name that Kubernetes takes: want small letters, digits, dashes and dots", name)))
		}
	}
	if k.API != "" && !strings.HasPrefix(k.API, "https://") {
		errs = append(errs, strictyaml.At("birth.kubernetes.api", fmt.Errorf("%.80q: want https://host:port; the token is sent there", k.API)))
	}
	return errors.Join(errs...)
}

// useExpect fills in a birth that is not given. It reports whether there is one then.
func (q *Quorum) useExpect(topologies []Topology) bool {
	if !q.Birth.given() {
		for _, t := range topologies {
			q.Birth.Expect = max(q.Birth.Expect, min(t.Expect, maxExpect))
		}
	}
	return q.Birth.given()
}
