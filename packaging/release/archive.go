package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// entry is a file of an archive.
type entry struct {
	name string // with slashes
	data []byte
	mode fs.FileMode
}

// writeArchives writes an archive for each platform: the program, its manual, completions and an example.
func (r *release) writeArchives() error {
	shared, err := readEntries(map[string]string{
		"LICENSE": "LICENSE", "CHANGELOG.md": "CHANGELOG.md", "topology.yaml.example": "topology.yaml.example",
	})
	if err != nil {
		return err
	}
	docs, err := readTree(r.docs())
	if err != nil {
		return err
	}
	shared = append(shared, docs...)
	for _, p := range r.built {
		own, err := readEntries(map[string]string{filepath.Base(p.path): p.path})
		if err != nil {
			return err
		}
		own[0].mode = 0o755
		if p.os == "linux" {
			unit, err := readEntries(map[string]string{"convoke.service": "packaging/systemd/convoke.service"})
			if err != nil {
				return err
			}
			own = append(own, unit...)
		}
		write, suffix := writeTar, ".tar.gz"
		if p.os == "windows" {
			write, suffix = writeZip, ".zip"
		}
		if err := write(filepath.Join(r.out, p.name()+suffix), p.name(), append(own, shared...), p.time); err != nil {
			return err
		}
	}
	return nil
}

// readEntries reads files, named by what they are called in the archive.
func readEntries(files map[string]string) ([]entry, error) {
	var all []entry
	for name, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		all = append(all, entry{name, data, 0o644})
	}
	return all, nil
}

// readTree reads all files below a directory.
func readTree(dir string) ([]entry, error) {
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, file)
		files[filepath.ToSlash(name)] = file
		return err
	})
	if err != nil {
		return nil, err
	}
	return readEntries(files)
}

func sorted(entries []entry) []entry {
	return slices.SortedFunc(slices.Values(entries), func(a, b entry) int { return strings.Compare(a.name, b.name) })
}

// create makes a file and has it written.
func create(file string, write func(io.Writer) error) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// writeTar writes a compressed tar archive of which nothing depends on the machine.
func writeTar(file, dir string, entries []entry, at time.Time) error {
	return create(file, func(w io.Writer) error {
		z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		if err != nil {
			return err
		}
		t := tar.NewWriter(z)
		for _, e := range sorted(entries) {
			err := t.WriteHeader(&tar.Header{
				Name: path.Join(dir, e.name), Size: int64(len(e.data)), Mode: int64(e.mode), ModTime: at, Format: tar.FormatUSTAR, Typeflag: tar.TypeReg,
			})
			if err != nil {
				return err
			}
			if _, err := t.Write(e.data); err != nil {
				return err
			}
		}
		return errors.Join(t.Close(), z.Close())
	})
}

// writeZip writes a zip archive of which nothing depends on the machine.
func writeZip(file, dir string, entries []entry, at time.Time) error {
	return create(file, func(w io.Writer) error {
		z := zip.NewWriter(w)
		for _, e := range sorted(entries) {
			h := &zip.FileHeader{Name: path.Join(dir, e.name), Method: zip.Deflate, Modified: at.UTC()}
			h.SetMode(e.mode)
			f, err := z.CreateHeader(h)
			if err != nil {
				return err
			}
			if _, err := f.Write(e.data); err != nil {
				return err
			}
		}
		return z.Close()
	})
}
