package ops

import (
	"encoding/json"
	"testing"
)

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", "<&>\"\\\n\t", "\x00", "\xff", "\u2028", `{"base64":"AA=="}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := json.Marshal(Text(s))
		if err != nil {
			t.Fatal(err)
		}
		var again Text
		if err := json.Unmarshal(b, &again); err != nil || string(again) != s {
			t.Errorf("%q written as %s is read as %q, %v", s, b, again, err)
		}
	})
}

func TestTextThatIsNeitherStringNorBase64IsRefused(t *testing.T) {
	for _, s := range []string{"1", "null1", "{}", `{"base64": "?"}`, "[]"} {
		if err := json.Unmarshal([]byte(s), new(Text)); err == nil {
			t.Errorf("%s is read", s)
		}
	}
}
