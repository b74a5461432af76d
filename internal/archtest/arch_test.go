package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/goconvoke/convoke"

// pkg is what go list returns of a package.
type pkg struct {
	ImportPath string
	Dir        string
	Name       string
	Standard   bool
	GoFiles    []string
	Imports    []string
}

// path returns the path relative to the module.
func (p pkg) path() string { return rel(p.ImportPath) }

func rel(importPath string) string { return strings.TrimPrefix(importPath, module+"/") }

// packages returns all packages of the modules that go.work names. One that does not compile is listed all the same.
var packages = sync.OnceValues(func() ([]pkg, error) {
	return list("-e", "-json=ImportPath,Dir,Name,GoFiles,Imports", "work")
})

// list runs go list in the root of the module.
func list(args ...string) ([]pkg, error) {
	out, err := run("../..", "go", append([]string{"list"}, args...)...)
	if err != nil {
		return nil, err
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		if len(p.GoFiles) > 0 { // a package of tests alone has no rule to keep
			all = append(all, p)
		}
	}
}

func run(dir, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, errs.Bytes())
	}
	return out, nil
}

func all(t *testing.T) []pkg {
	t.Helper()
	ps, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	if len(ps) == 0 {
		t.Fatal("go list found no package")
	}
	return ps
}

// matches reports whether a pattern of the table names a path.
func matches(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if below, ok := strings.CutSuffix(p, "*"); ok {
			return strings.HasPrefix(path, below)
		}
		return p == path
	})
}

// ruleFor returns the rule of a package: its own, or the pattern that names it.
func ruleFor(path string) (rule, bool) {
	for _, r := range table {
		if r.pkg == path {
			return r, true
		}
	}
	for _, r := range table {
		if matches([]string{r.pkg}, path) {
			return r, true
		}
	}
	return rule{}, false
}

// strayImports returns what a package imports against its rule.
func strayImports(path string, imports []string) []string {
	r, ok := ruleFor(path)
	if !ok {
		return []string{"the package is not in the table; a new package is a decision"}
	}
	var stray []string
	for _, imp := range imports {
		switch {
		case imp == module || strings.HasPrefix(imp, module+"/"):
			if !matches(r.ours, rel(imp)) {
				stray = append(stray, "imports "+rel(imp))
			}
		case strings.Contains(strings.Split(imp, "/")[0], "."):
			if !matches(r.third, imp) {
				stray = append(stray, "imports "+imp)
			}
		}
		if slices.Contains(pure, path) && matches(impure, imp) {
			stray = append(stray, "is pure and imports "+imp)
		}
	}
	return stray
}

func TestImportsFollowTheTable(t *testing.T) {
	for _, p := range all(t) {
		for _, s := range strayImports(p.path(), p.Imports) {
			t.Errorf("%s %s", p.path(), s)
		}
	}
}

func TestTableNamesEachPackageOnce(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range table {
		if seen[r.pkg] {
			t.Errorf("two rules for %s", r.pkg)
		}
		seen[r.pkg] = true
	}
}

// parsed returns the non-test files of a package.
func parsed(t *testing.T, p pkg) (*token.FileSet, []*ast.File) {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Errorf("%s: %v", p.path(), err)
			continue
		}
		files = append(files, f)
	}
	return fset, files
}

func TestPurePackagesArePure(t *testing.T) {
	for _, p := range all(t) {
		if !slices.Contains(pure, p.path()) {
			continue
		}
		fset, files := parsed(t, p)
		for _, f := range files {
			for _, i := range impurities(f) {
				t.Errorf("%s: %s in a pure package", fset.Position(i.pos), i.what)
			}
		}
	}
}

// finding is something at a place in a file.
type finding struct {
	pos  token.Pos
	what string
}

// impurities returns the go statements of a file and its uses of the clock and of chance.
func impurities(f *ast.File) []finding {
	forbidden := make(map[string][]string) // by the name the file gives a package
	for _, spec := range f.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		name := path[strings.LastIndex(path, "/")+1:]
		if path == "math/rand/v2" {
			name = "rand"
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if calls := impureCalls[path]; calls != nil {
			forbidden[name] = calls
		}
	}
	var found []finding
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, finding{n.Pos(), "a go statement"})
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && slices.Contains(forbidden[x.Name], n.Sel.Name) {
				found = append(found, finding{n.Pos(), x.Name + "." + n.Sel.Name})
			}
		}
		return true
	})
	return found
}

func TestPackagesHaveExactlyOneComment(t *testing.T) {
	for _, p := range all(t) {
		_, files := parsed(t, p)
		comments := 0
		for _, f := range files {
			if f.Doc.Text() != "" && !ast.IsGenerated(f) {
				comments++
			}
		}
		if comments != 1 {
			t.Errorf("%s has %d package comments, want exactly one", p.path(), comments)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, p := range all(t) {
		if p.Name == "main" {
			continue
		}
		fset, files := parsed(t, p)
		for _, f := range files {
			for _, u := range undocumented(f) {
				t.Errorf("%s: %s has no comment", fset.Position(u.pos), u.what)
			}
		}
	}
}

// undocumented returns the exported names of a file that have no comment: types, functions, methods of
// exported types, constants and variables. A comment above a group serves the whole group.
func undocumented(f *ast.File) []finding {
	var found []finding
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc.Text() == "" && exportedReceiver(d) {
				found = append(found, finding{d.Pos(), d.Name.Name})
			}
		case *ast.GenDecl:
			if d.Doc.Text() == "" {
				found = append(found, undocumentedSpecs(d)...)
			}
		}
	}
	return found
}

func undocumentedSpecs(d *ast.GenDecl) []finding {
	var found []finding
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && s.Doc.Text() == "" && s.Comment.Text() == "" {
				found = append(found, finding{s.Pos(), s.Name.Name})
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() && s.Doc.Text() == "" && s.Comment.Text() == "" {
					found = append(found, finding{name.Pos(), name.Name})
				}
			}
		}
	}
	return found
}

// exportedReceiver reports whether a function has no receiver or one of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}
