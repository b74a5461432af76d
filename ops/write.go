package ops

import (
	"net/http"
	"time"
)

// setHeaders has browsers show no answer within a page of another site, nor run anything in it.
func setHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}

func writeDocument(w http.ResponseWriter, status int, kind string, v any) {
	b, err := Encode(v)
	if err != nil {
		writeText(w, http.StatusInternalServerError, err.Error())
		return
	}
	writeBytes(w, status, kind, b)
}

func writeText(w http.ResponseWriter, status int, text string) {
	writeBytes(w, status, "text/plain; charset=utf-8", []byte(text+"\n"))
}

func writeBytes(w http.ResponseWriter, status int, kind string, b []byte) {
	setHeaders(w)
	w.Header().Set("Content-Type", kind)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeLimit)) // a recorder of a test has none
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that has gone needs no answer
}
