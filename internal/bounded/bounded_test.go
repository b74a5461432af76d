package bounded

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadAllReadsUpToItsBound(t *testing.T) {
	for _, c := range []struct {
		in   string
		err  error
		want string
	}{
		{"", nil, ""},
		{"1234", nil, ""},
		{"12345", nil, "larger than 4 bytes"},
		{"12", io.ErrUnexpectedEOF, "unexpected EOF"},
	} {
		r := io.Reader(strings.NewReader(c.in))
		if c.err != nil {
			r = io.MultiReader(r, iotest.ErrReader(c.err))
		}
		data, err := ReadAll(r, 4)
		if c.want == "" && (err != nil || string(data) != c.in) || c.want != "" && (err == nil || err.Error() != c.want || data != nil) {
			t.Errorf("ReadAll(%q) = %q, %v, want error %q", c.in, data, err, c.want)
		}
	}
}

func TestReadFileTakesOnlyARegularFileAndNamesIt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "token")
	if err := os.WriteFile(path, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadFile(path, 6); err != nil || string(data) != "secret" {
		t.Errorf("ReadFile = %q, %v", data, err)
	}
	if _, err := ReadFile(path, 5); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "larger than 5 bytes") {
		t.Errorf("ReadFile of too large a file = %v, want the path and the bound", err)
	}
	if _, err := ReadFile(dir, 5); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("ReadFile of a directory = %v, want a refusal", err)
	}
	if _, err := ReadFile(path+".gone", 5); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadFile of nothing = %v, want that it does not exist", err)
	}
}
