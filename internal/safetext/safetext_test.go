package safetext

import (
	"errors"
	"io"
	"testing"
)

func TestTextIsCutBetweenCharacters(t *testing.T) {
	for _, c := range []struct {
		in          string
		most        int
		clip, quote string
	}{
		{"node", 4, "node", `"node"`},
		{"node", 3, "nod…", `"nod"…`},
		{"é", 1, "…", `""…`},
		{"aéb", 2, "a…", `"a"…`},
		{"aéb", 3, "aé…", `"aé"…`},
		{"a\nb\x1b", 9, "a\nb\x1b", `"a\nb\x1b"`},
		{"\xff\xfe\xfd", 2, "\xff\xfe…", `"\xff\xfe"…`},
		{"\x80\x80\x80\x80\x80\x80\x80", 5, "\x80…", `"\x80"…`},
		{"x", 0, "…", `""…`},
	} {
		if got := Clip(c.in, c.most); got != c.clip {
			t.Errorf("Clip(%q, %d) = %q, want %q", c.in, c.most, got, c.clip)
		}
		if got := Quote(c.in, c.most); got != c.quote {
			t.Errorf("Quote(%q, %d) = %s, want %s", c.in, c.most, got, c.quote)
		}
	}
}

func TestALongErrorIsCutAndAShortOneIsKept(t *testing.T) {
	if got := Error(io.EOF, 3); !errors.Is(got, io.EOF) {
		t.Errorf("Error(EOF) = %v, want it unchanged", got)
	}
	if got := Error(errors.New("0123456789"), 4); got.Error() != "0123…" {
		t.Errorf("Error = %v, want its first 4 bytes", got)
	}
	if got := Error(nil, 4); got != nil {
		t.Errorf("Error(nil) = %v", got)
	}
}

func TestPrintable(t *testing.T) {
	for s, want := range map[string]bool{"": true, "zone a": true, "größe": true, "a\tb": false, "a\x1b[2J": false, "\xff": false} {
		if got := Printable(s); got != want {
			t.Errorf("Printable(%q) = %t, want %t", s, got, want)
		}
	}
}
