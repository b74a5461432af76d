package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFilesAreThoseOfTheirGenerator(t *testing.T) {
	want, err := files("topology.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, dir := range []string{"base", "chart"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			got[filepath.ToSlash(path)] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("files (-generator +tree); go generate ./packaging/kubernetes writes them again:\n%s", d)
	}
}
