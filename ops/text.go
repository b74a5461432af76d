package ops

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Text is a string of any bytes. In JSON it is a string or, if that could not hold it as it is, {"base64": "..."}.
type Text string

// MarshalJSON implements [json.Marshaler].
func (t Text) MarshalJSON() ([]byte, error) {
	if !utf8.ValidString(string(t)) || strings.ContainsFunc(string(t), isControl) {
		return fmt.Appendf(nil, `{"base64":%q}`, base64.StdEncoding.EncodeToString([]byte(t))), nil
	}
	return Encode(string(t))
}

// isControl reports whether JSON has to write a character six times as long.
func isControl(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Text) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err == nil {
		*t = Text(s)
		return nil
	}
	var coded struct {
		Base64 []byte `json:"base64"`
	}
	if err := json.Unmarshal(b, &coded); err != nil || coded.Base64 == nil {
		return errors.New(`want a string or {"base64": "..."}`)
	}
	*t = Text(coded.Base64)
	return nil
}

// Encode writes a value as one line of JSON, with <, > and & as they are.
func Encode(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}
