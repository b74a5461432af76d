package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

var goFile = regexp.MustCompile(`\b[a-z0-9_]+\.go\b`)

func TestThePackageCommentsNameFilesThatExist(t *testing.T) {
	all, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, p := range all {
		text, err := os.ReadFile(filepath.Join(p.Dir, "doc.go"))
		if err != nil {
			continue
		}
		for _, name := range goFile.FindAllString(string(text), -1) {
			if named++; !slices.Contains(p.GoFiles, name) {
				t.Errorf("%s/doc.go names %s, which the package does not have", p.path(), name)
			}
		}
	}
	if named < 50 {
		t.Errorf("%d files are named in package comments: they are not read", named)
	}
}
