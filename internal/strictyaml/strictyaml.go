// Package strictyaml decodes YAML and reports every mistake at its place.
package strictyaml

import "gopkg.in/yaml.v3"

// Decode decodes n over into.
func Decode(n *yaml.Node, into any, file string, lookupEnv func(string) (string, bool)) error {
	if n == nil {
		return nil
	}
	return n.Decode(into)
}

// At places an error at a key.
func At(key string, err error) error { return err }

// Hint names the known names.
func Hint(name string, known []string) string { return "" }
