package ops

import "net/http"

// Access is what a request may ask for. Each level has those before it.
type Access int

// The levels of access.
const (
	Probes Access = iota // /livez, /readyz, /status, /partitions, and metrics
	Read                 // everything but values and changes
	Values               // the values of keys, which may be secrets
	Write                // changes
)

// Grant returns what a request may ask for, or why it is refused: see [WithStatus].
type Grant func(*http.Request) (Access, error)

// Always grants the same to every request, for handlers that only their user can reach.
func Always(a Access) Grant { return func(*http.Request) (Access, error) { return a, nil } }

// errDenied returns why a request with an access cannot have what needs another one.
func errDenied(needs Access) error {
	const with = "the token of http.token_file, a client certificate of http.tls.client_ca, or the admin socket"
	switch needs {
	case Write:
		return problemf(http.StatusForbidden, "nothing may be changed over this connection: use the admin socket, or set http.write and use %s", with)
	case Values:
		return problemf(http.StatusForbidden, "values may be secrets: use %s", with)
	}
	return problemf(http.StatusForbidden, "from another host only probes and metrics are answered: use %s", with)
}
