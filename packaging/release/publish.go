package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// writeChart writes the Helm chart with the version of the release in it.
func (r *release) writeChart() error {
	p := r.built[0]
	entries, err := readTree("packaging/kubernetes/chart")
	if err != nil {
		return err
	}
	for i, e := range entries {
		switch e.name {
		case "Chart.yaml":
			e.data = bytes.Replace(e.data, []byte("version: 0.0.0\nappVersion: latest\n"), fmt.Appendf(nil, "version: %s\nappVersion: %s\n", p.number(), p.version), 1)
		case "values.yaml":
			e.data = bytes.Replace(e.data, []byte("convoke:latest\n"), []byte("convoke:"+p.tag()+"\n"), 1)
		default:
			continue
		}
		if bytes.Equal(entries[i].data, e.data) {
			return fmt.Errorf("%s has no place for the version", e.name)
		}
		entries[i] = e
	}
	return writeTar(filepath.Join(r.out, "convoke-chart-"+p.number()+".tgz"), "convoke", entries, p.time)
}

// tag is the version as images have it.
func (p program) tag() string { return strings.ReplaceAll(p.version, "+", "-") }

// writePackages writes packages for distributions of Linux.
func (r *release) writePackages() error {
	if len(r.nfpm) == 0 {
		return nil
	}
	for _, p := range r.built {
		if p.os != "linux" {
			continue
		}
		env := []string{"VERSION=" + p.number(), "ARCH=" + p.arch, "PROGRAM=" + p.path, "DOCS=" + r.docs(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", p.time.Unix())}
		for _, kind := range []string{"deb", "rpm", "apk"} {
			args := append(r.nfpm[1:len(r.nfpm):len(r.nfpm)], "package", "--config", "packaging/nfpm/nfpm.yaml", "--packager", kind,
				"--target", filepath.Join(r.out, p.name()+"."+kind))
			if err := run(env, r.nfpm[0], args...); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeImage writes the directory that the image is built from.
func (r *release) writeImage() error {
	dir := filepath.Join(r.work, "image")
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "run"), 0o700), copyFile("packaging/Containerfile", dir, "Containerfile", 0o644)); err != nil {
		return err
	}
	if err := copyFile(r.ca, dir, "ca-certificates.crt", 0o644); err != nil {
		return fmt.Errorf("certificates for the image: %w (install the package ca-certificates, or name a file with -ca)", err)
	}
	for _, p := range r.built {
		if p.os != "linux" {
			continue
		}
		if err := copyFile(p.path, filepath.Join(dir, p.arch), "convoke", 0o755); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, dir, name string, mode os.FileMode) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name), data, mode))
}

// writeSums writes the checksums of all that is published.
func (r *release) writeSums() error {
	files, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(r.out, f.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(data), f.Name())
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}
