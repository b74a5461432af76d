package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// printed returns every way in which a value can get into a log, an error or a file.
func printed(t *testing.T, v any) string {
	t.Helper()
	holder := struct {
		V any
		P *any
	}{v, &v}
	asJSON, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(map[string]any{"v": v})
	if err != nil {
		t.Fatal(err)
	}
	all := []string{string(asJSON), string(asYAML), fmt.Sprint(v)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		all = append(all, fmt.Sprintf(verb, v), fmt.Sprintf(verb, struct{ V any }{v}), fmt.Errorf(verb, []any{v}).Error())
	}
	return strings.Join(all, "\n")
}

func TestSecretIsNeverPrinted(t *testing.T) {
	if got := printed(t, String("hunter2")); strings.Contains(got, "hunter2") {
		t.Errorf("the secret is printed:\n%s", got)
	}
	if got := string(String("hunter2")); got != "hunter2" {
		t.Errorf("string(String) = %q, want the secret", got)
	}
}

func TestKeyIsNeverPrinted(t *testing.T) {
	raw := bytes.Repeat([]byte("Z"), KeySize)
	var k Key
	if err := k.UnmarshalText([]byte(base64.StdEncoding.EncodeToString(raw))); err != nil {
		t.Fatal(err)
	}
	got := printed(t, k)
	for _, trace := range []string{"ZZZ", "90 90", "0x5a", "5a5a", base64.StdEncoding.EncodeToString(raw)[:8]} {
		if strings.Contains(got, trace) {
			t.Errorf("the key shows as %q in:\n%s", trace, got)
		}
	}
	if !bytes.Equal(k.Bytes(), raw) {
		t.Error("Bytes() is not the key")
	}
	k.Bytes()[0] = 0
	if !bytes.Equal(k.Bytes(), raw) {
		t.Error("Bytes() is not a copy")
	}
}

func TestKeyRefusesWhatIsNoKeyAndDoesNotRepeatIt(t *testing.T) {
	for name, text := range map[string]string{
		"empty":      "",
		"no base64":  "secret!secret!secret!secret!",
		"too short":  base64.StdEncoding.EncodeToString([]byte("secret")),
		"too long":   base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("s"), KeySize+1)),
		"url base64": strings.Repeat("_", 43) + "=",
	} {
		t.Run(name, func(t *testing.T) {
			var k Key
			err := k.UnmarshalText([]byte(text))
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), "openssl rand") {
				t.Errorf("error %q does not explain how to make a key", err)
			}
			if text != "" && strings.Contains(err.Error(), text) {
				t.Errorf("error %q repeats the text", err)
			}
			if k != (Key{}) {
				t.Error("a refused text changed the key")
			}
		})
	}
}
