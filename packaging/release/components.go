package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
)

// The parts of a document of SPDX 2.3 that are used here.
type (
	spdxDocument struct {
		Version       string             `json:"spdxVersion"`
		License       string             `json:"dataLicense"`
		ID            string             `json:"SPDXID"`
		Name          string             `json:"name"`
		Namespace     string             `json:"documentNamespace"`
		Creation      spdxCreation       `json:"creationInfo"`
		Packages      []spdxPackage      `json:"packages"`
		Relationships []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		ID        string         `json:"SPDXID"`
		Name      string         `json:"name"`
		Version   string         `json:"versionInfo"`
		Download  string         `json:"downloadLocation"`
		Analyzed  bool           `json:"filesAnalyzed"`
		License   string         `json:"licenseConcluded"`
		Declared  string         `json:"licenseDeclared"`
		Copyright string         `json:"copyrightText"`
		Purpose   string         `json:"primaryPackagePurpose,omitempty"`
		Checksums []spdxChecksum `json:"checksums,omitempty"`
		Refs      []spdxRef      `json:"externalRefs"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxRef struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		From string `json:"spdxElementId"`
		Type string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	}
)

// The IDs of the document and of the program.
const (
	documentID = "SPDXRef-DOCUMENT"
	programID  = "SPDXRef-convoke"
	unknown    = "NOASSERTION"
)

// writeComponents writes the list of modules in each program, as the program itself has it.
func (r *release) writeComponents() error {
	for _, p := range r.built {
		data, err := os.ReadFile(p.path)
		if err != nil {
			return err
		}
		text, err := json.MarshalIndent(componentsOf(p, sha256.Sum256(data)), "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(r.out, p.name()+".spdx.json"), append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// componentsOf returns the document of a program.
func componentsOf(p program, sum [sha256.Size]byte) spdxDocument {
	digest := hex.EncodeToString(sum[:])
	d := spdxDocument{
		Version: "SPDX-2.3", License: "CC0-1.0", ID: documentID, Name: p.name(),
		Namespace:     "https://github.com/goconvoke/convoke/spdx/" + p.name() + "/" + digest,
		Creation:      spdxCreation{p.time.UTC().Format(time.RFC3339), []string{"Tool: convoke-release"}},
		Relationships: []spdxRelationship{{documentID, "DESCRIBES", programID}},
	}
	main := packageOf(programID, p.info.Main)
	main.Version, main.License, main.Declared, main.Purpose = p.version, "MIT", "MIT", "APPLICATION"
	main.Checksums = []spdxChecksum{{"SHA256", digest}}
	goroot := packageOf("SPDXRef-go", debug.Module{Path: "std", Version: strings.TrimPrefix(p.info.GoVersion, "go")})
	d.Packages = []spdxPackage{main, goroot}
	for i, dep := range p.info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		d.Packages = append(d.Packages, packageOf(fmt.Sprintf("SPDXRef-%d-%s", i+1, idUnsafe.ReplaceAllString(dep.Path, "-")), *dep))
	}
	for _, part := range d.Packages[1:] {
		d.Relationships = append(d.Relationships, spdxRelationship{programID, "DEPENDS_ON", part.ID})
	}
	return d
}

var idUnsafe = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func packageOf(id string, m debug.Module) spdxPackage {
	return spdxPackage{
		ID: id, Name: m.Path, Version: m.Version, Download: unknown, License: unknown, Declared: unknown, Copyright: unknown,
		Refs: []spdxRef{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + m.Path + "@" + m.Version}},
	}
}
