package multicast

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestTheReadmeListsEverySettingAndReason(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	fields := reflect.TypeFor[Config]()
	for i := range fields.NumField() {
		if key := fields.Field(i).Tag.Get("yaml"); !strings.Contains(string(text), "\n| `"+key+"` |") {
			t.Errorf("no row about the setting %s", key)
		}
	}
	for v := own; v < dropReasons; v++ {
		if !strings.Contains(string(text), "`"+v.String()+"`") {
			t.Errorf("no word about the reason %s", v)
		}
	}
}
