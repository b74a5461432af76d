// Package connectortest checks connectors, and offers one to test with: [Run] runs every rule of
// [connector.Connector] against anybody's implementation, and [Mesh] is a connector in memory whose
// failures are scripted.
package connectortest
