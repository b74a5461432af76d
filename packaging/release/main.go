// Command release makes everything that a release consists of from the tree in its working directory: programs for all platforms, archives,
// packages for Linux, the Helm chart, what the image is built from, a list of components (SPDX) for each program and the checksums. It
// needs Go alone, and for the packages nfpm. Two runs on one commit give the same bytes, wherever the tree is.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// platforms are those that have archives; packages and images are made for those of Linux.
const platforms = "linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64 freebsd/amd64"

// release is one run.
type release struct {
	out   string   // directory of what is published
	work  string   // directory of everything else
	nfpm  []string // command; none: no packages
	ca    string   // file with the certificates of the image
	built []program
}

func main() {
	var r release
	out := flag.String("out", "dist", "`directory` of the release; what is there is removed")
	list := flag.String("platforms", platforms, "`list` of GOOS/GOARCH")
	nfpm := flag.String("nfpm", "", "`command` that runs nfpm; none: no packages")
	flag.StringVar(&r.ca, "ca", "/etc/ssl/certs/ca-certificates.crt", "`file` of certificates for the image")
	flag.Parse()
	r.nfpm = strings.Fields(*nfpm)
	if err := r.run(*out, strings.Fields(*list)); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func (r *release) run(out string, list []string) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	if _, err := os.Stat("cmd/convoke/main.go"); err != nil {
		return fmt.Errorf("run it in the root of the tree: %w", err)
	}
	r.out, r.work = out, filepath.Join(out, "work")
	if err := errors.Join(os.RemoveAll(out), os.MkdirAll(r.work, 0o755)); err != nil {
		return err
	}
	for _, platform := range list {
		p, err := r.build(platform)
		if err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
		r.built = append(r.built, p)
	}
	for _, step := range []func() error{r.writeDocs, r.writeArchives, r.writeComponents, r.writeChart, r.writePackages, r.writeImage, r.writeSums} {
		if err := step(); err != nil {
			return err
		}
	}
	fmt.Println(r.built[0].version)
	return nil
}
