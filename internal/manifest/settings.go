package manifest

import (
	"encoding/json"
	"maps"
	"slices"
)

// setting documents a key of the values; schema is a JSON Schema.
type setting struct{ comment, schema string }

const (
	nameSchema = `{"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}`
	textSchema = `{"type": "string"}`
	flagSchema = `{"type": "boolean"}`
	portSchema = `{"type": "integer", "minimum": 1, "maximum": 65535}`
)

var settings = map[string]setting{
	"name":     {"The name of all objects, and the value of their label app.", nameSchema},
	"image":    {"The image: give it a version.", `{"type": "string", "minLength": 1}`},
	"kind":     {"StatefulSet or Deployment. A node that keeps data needs the first.", `{"enum": ["StatefulSet", "Deployment"]}`},
	"replicas": {"The number of pods. What the topology expects is not derived from it.", `{"type": "integer", "minimum": 0}`},
	"account":  {"The service account; empty if the API server is not queried.", textSchema},
	"port":     {"The port of node.listen.", portSchema},
	"portName": {"Its name, by which peers are found.", `{"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$"}`},
	"udp":      {"Whether the connector uses UDP at that port too.", flagSchema},
	"http":     {"The port of http.listen, for probes; 0 if the file has none or it is on loopback.", `{"type": "integer", "minimum": 0, "maximum": 65535}`},
	"access": {"The rights of the service account; an empty namespace is that of the pods.",
		listOf(`"name": ` + textSchema + `, "namespace": ` + textSchema + `, "group": ` + textSchema + `, "resource": ` + textSchema +
			`, "verbs": {"type": "array", "items": {"type": "string"}}`)},
	"services": {"Headless Services, through which peers are found.",
		listOf(`"name": ` + nameSchema + `, "unready": ` + flagSchema + `, "labels": ` + listOf(`"key": `+textSchema+`, "value": `+textSchema))},
	"serviceName":    {"The one that gives the pods of a StatefulSet their DNS names.", nameSchema},
	"env":            {"Environment variables from fields of the pod.", listOf(`"name": ` + textSchema + `, "field": ` + textSchema)},
	"secretEnv":      {"Environment variables from the Secret NAME-env, which you make.", listOf(`"name": ` + textSchema)},
	"dataDir":        {"node.data_dir: a volume for each pod; empty if the file has none.", textSchema},
	"storage":        {"The size of that volume.", textSchema},
	"secretDirs":     {"Directories that Secrets fill, which you make: certificates and keys.", listOf(`"dir": ` + textSchema + `, "secret": ` + nameSchema)},
	"peersAnywhere":  {"Whether peers may call from outside of these namespaces: the file has other sources than Kubernetes.", flagSchema},
	"peerNamespaces": {"Namespaces besides that of the pods from which peers call.", listOf(`"name": ` + nameSchema)},
	"cpu":            {"The request for CPU.", textSchema},
	"memory":         {"The request for memory.", textSchema},
	"memoryLimit":    {"The limit of memory.", textSchema},
	"secretTopology": {"Whether the file has secrets in it, and so is kept in a Secret.", flagSchema},
	"topology":       {"The topology file. What is above was derived from it: after a change derive it again.", `{"type": "string", "minLength": 1}`},
}

// listOf returns the schema of a list of objects that have exactly these properties.
func listOf(properties string) string {
	var of map[string]json.RawMessage
	if err := json.Unmarshal([]byte("{"+properties+"}"), &of); err != nil {
		panic(err) // of the table above, so in every test
	}
	return `{"type": "array", "items": ` + objectOf(of) + `}`
}

// objectOf returns the schema of an object that has exactly these properties.
func objectOf(properties map[string]json.RawMessage) string {
	text, err := json.Marshal(map[string]any{
		"type": "object", "additionalProperties": false, "required": slices.Sorted(maps.Keys(properties)), "properties": properties,
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// schema returns the JSON Schema of the values. Helm adds the key "global" by itself.
func schema() string {
	of := make(map[string]json.RawMessage)
	for key, s := range settings {
		of[key] = json.RawMessage(s.schema)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(objectOf(of)), &doc); err != nil {
		panic(err)
	}
	doc["$schema"] = "http://json-schema.org/draft-07/schema#"
	doc["properties"].(map[string]any)["global"] = map[string]any{"type": "object"}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic(err)
	}
	return string(text) + "\n"
}
