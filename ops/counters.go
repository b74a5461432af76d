package ops

import (
	"reflect"
	"strings"
	"unicode"

	"github.com/goconvoke/convoke/gossip"
)

// countersOf returns counters by name: "refused.by_peer".
func countersOf(c gossip.Counters) map[string]uint64 {
	all := map[string]uint64{}
	addCounters(reflect.ValueOf(c), "", all)
	return all
}

// addCounters adds the numbers of a struct, and of those in it, under their names.
func addCounters(v reflect.Value, prefix string, into map[string]uint64) {
	for i := range v.NumField() {
		name := prefix + snakeCase(v.Type().Field(i).Name)
		switch f := v.Field(i); f.Kind() {
		case reflect.Uint64:
			into[name] = f.Uint()
		case reflect.Struct:
			addCounters(f, name+".", into)
		}
	}
}

// snakeCase makes "ByPeer" "by_peer".
func snakeCase(s string) string {
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
