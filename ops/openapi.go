package ops

import (
	_ "embed"
	"net/http"
)

// openAPI describes every operation: a test compares the two.
//
//go:embed openapi.json
var openAPI []byte

func (a *API) handleOpenAPI(_ Access, w http.ResponseWriter, _ *http.Request) {
	writeBytes(w, http.StatusOK, "application/json", openAPI)
}
