// Package page is the page that shows an operator how a node and its cluster are: rendered on the server, without requests to other
// sites, readable without JavaScript and by a keyboard alone. It changes nothing. All links in it are relative, so it can be mounted
// under any prefix that ends with a slash.
package page

import (
	"bytes"
	"context"
	_ "embed"
	"net/http"
	"strings"

	"github.com/goconvoke/convoke/ops"
)

// Source is what the page shows; *ops.API is one.
type Source interface {
	Document(ctx context.Context) ops.Document
	Members(ctx context.Context) ([]ops.Member, error)
	Overlay(ctx context.Context) ([]ops.Edge, error)
	Agreement(ctx context.Context) (ops.Agreement, error)
	Events(n int) []ops.Event
}

//go:generate go run github.com/a-h/templ/cmd/templ@v0.3.977 generate

//go:embed style.css
var style []byte

//go:embed live.js
var script []byte

//go:embed icon.svg
var icon []byte

// policy allows what the page itself brings, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
	"form-action 'none'; frame-ancestors 'none'"

// Mounts returns the paths of the page for [ops.Config]: "/", and what it needs under "/ui/". The source is asked for with each request,
// since the API is made after its configuration.
func Mounts(source func() Source) []ops.Mount {
	return []ops.Mount{
		{Pattern: "GET /{$}", Access: ops.Read, Handler: pageHandler(source)},
		{Pattern: "GET /ui/style.css", Access: ops.Read, Handler: fileHandler("text/css; charset=utf-8", style)},
		{Pattern: "GET /ui/live.js", Access: ops.Read, Handler: fileHandler("text/javascript; charset=utf-8", script)},
		{Pattern: "GET /ui/icon.svg", Access: ops.Read, Handler: fileHandler("image/svg+xml", icon)},
	}
}

// pageHandler answers with the page; a client that asks for JSON is sent to the document that the page is made from.
func pageHandler(source func() Source) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Vary", "Accept")
		if accept := r.Header.Get("Accept"); strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html") {
			w.Header().Set("Location", "api/v1/status") // not http.Redirect: it would make the address absolute, and lose a prefix
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		var b bytes.Buffer // a page that fails halfway must not look whole
		if err := layout(newView(r.Context(), source(), r.URL.Query())).Render(r.Context(), &b); err != nil {
			ops.WriteProblem(w, err)
			return
		}
		setHeaders(h, "text/html; charset=utf-8")
		_, _ = w.Write(b.Bytes()) // a client that has gone needs no answer
	})
}

func fileHandler(contentType string, content []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		setHeaders(w.Header(), contentType)
		_, _ = w.Write(content)
	})
}

func setHeaders(h http.Header, contentType string) {
	h.Set("Content-Type", contentType)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}
