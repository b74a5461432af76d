package kubernetes

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/goconvoke/convoke/internal/bounded"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
)

// Grant is what a service account must be allowed so that the peers in one namespace are found.
type Grant struct {
	Namespace string // that the peers are in
	Group     string // of the API; "" is the core
	Resource  string
	Verbs     []string
}

// Grants returns what the configuration needs, one grant for each of its namespaces; own is the namespace
// of the pod, for a configuration that names none.
func (c Config) Grants(own string) []Grant {
	namespaces := c.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{own}
	}
	verbs := []string{"list"}
	if c.Watch {
		verbs = append(verbs, "watch")
	}
	all := make([]Grant, 0, len(namespaces))
	for _, ns := range namespaces {
		r := resources[c.Source]
		all = append(all, Grant{Namespace: ns, Group: r.Group, Resource: r.Resource, Verbs: verbs})
	}
	return all
}

// Manifest returns the Role and the RoleBinding, two documents of YAML, that grant this to a service
// account of a namespace. name is theirs.
func (g Grant) Manifest(name, account, accountNamespace string) string {
	return fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: %[1]q
  namespace: %[2]q
rules:
- apiGroups: [%[3]q]
  resources: [%[4]q]
  verbs: [%[5]s]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: %[1]q
  namespace: %[2]q
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: %[1]q
subjects:
- kind: ServiceAccount
  name: %[6]q
  namespace: %[7]q
`, name, g.Namespace, g.Group, g.Resource, strings.Join(g.Verbs, ", "), account, accountNamespace)
}

// GrantName is the name of a Role and its RoleBinding where none was chosen.
const GrantName = "convoke-peers"

// account is a service account.
type account struct{ name, namespace string }

var accountPattern = regexp.MustCompile(`system:serviceaccount:([a-z0-9][-a-z0-9.]*):([a-z0-9][-a-z0-9.]*)`)

// accountIn finds the service account that a text names.
func accountIn(text string) (account, bool) {
	m := accountPattern.FindStringSubmatch(text)
	if m == nil {
		return account{}, false
	}
	return account{name: m[2], namespace: m[1]}, true
}

// accountOf returns the service account of a token, as the token itself names it, else the one that pods have without asking for another.
func accountOf(cfg *rest.Config, namespace string) account {
	token := cfg.BearerToken
	if data, err := bounded.ReadFile(cfg.BearerTokenFile, maxFile); cfg.BearerTokenFile != "" && err == nil {
		token = string(data)
	}
	if parts := strings.Split(strings.TrimSpace(token), "."); len(parts) == 3 {
		var claims struct {
			Subject string `json:"sub"`
		}
		raw, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err == nil && json.Unmarshal(raw, &claims) == nil {
			if a, ok := accountIn(claims.Subject); ok {
				return a
			}
		}
	}
	if namespace == "" {
		namespace = "default"
	}
	return account{name: "default", namespace: namespace}
}

// explainRefusal adds what a refused request needs, and logs the manifest to apply once for each namespace.
func (a *api) explainRefusal(err error, namespace string) error {
	forbidden, unauthorized := apierrors.IsForbidden(err), apierrors.IsUnauthorized(err)
	if !forbidden && !unauthorized {
		return err
	}
	c := a.config
	c.Namespaces = []string{namespace}
	g := c.Grants("")[0]
	a.mu.Lock()
	account := a.account
	a.mu.Unlock()
	if named, ok := accountIn(err.Error()); ok {
		account = named
	}
	if a.logged.Allow(fmt.Sprintf("refused %t %s", forbidden, namespace), time.Now()) {
		what := "the API server forbids to find the peers; apply this, a restart is not needed"
		if unauthorized {
			what = "the API server does not accept the token; once it does, this is needed"
		}
		a.env.Log.Error(what, "verbs", strings.Join(g.Verbs, ","), "resource", g.Resource, "namespace", namespace,
			"service_account", account.namespace+"/"+account.name, "manifest", g.Manifest(GrantName, account.name, account.namespace))
	}
	if unauthorized {
		return fmt.Errorf("the token of service account %s/%s is not accepted; is it of this cluster, and is it mounted? %w", account.namespace, account.name, err)
	}
	return fmt.Errorf("allow service account %s/%s to %s %s in namespace %s: %w",
		account.namespace, account.name, strings.Join(g.Verbs, " and "), g.Resource, namespace, err)
}
