// Package ops is what an operator can ask of a node that runs, and have it do: one status document, and one HTTP API for it, for
// probes, for the members and links, for events as they happen, and for changes. An agent serves the API on its admin socket and, if
// its file has the section http, on a port; the command line is one of its clients. docs/api.md describes paths and shapes, and
// /api/v1/openapi.json is the same for programs.
//
// Durations are seconds as numbers, times RFC 3339, hashes and IDs of 64 bits hexadecimal text. Within /api/v1 fields are only ever
// added. Errors are application/problem+json (RFC 9457).
package ops
