package examples_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// frame is what makes a program of the Go blocks of a page that are no program by themselves: in their order they are the body of one
// function.
type frame struct {
	dir     string   // whose module has what they import
	imports []string // besides context
	params  string   // what the page has introduced before, behind ctx
	results string   // what the blocks leave to the reader
	fails   bool     // the blocks return errors
}

// frames are those of the pages that have such blocks. The README has none: its blocks continue its program, see readme_test.go.
var frames = map[string]frame{
	"README.md": { // what follows the program
		imports: []string{module + "agent", module + "quorum"},
		params: "node *agent.Node, err error, bill func(context.Context, quorum.Token) error, serve func(context.Context, int, quorum.Token) error, " +
			"increment func(string, bool) (string, bool, error)",
		results: "orders, owner, token, ok, member, shard, err",
	},
	"connector/gossip/README.md": {
		imports: []string{"github.com/hashicorp/go-hclog", module + "cluster", module + "connector", module + "connector/gossip", module + "strategy/builtin"},
		params:  "log hclog.Logger, connectors *connector.Registry",
		results: "supervisor, err",
	},
	"docs/monitoring.md": {
		imports: []string{"net/http", module + "agent", module + "ops/prom", module + "strategy/builtin"},
		results: "node, err",
	},
	"docs/migration-from-memberlist.md": {
		imports: []string{"log", "net", "time", module + "agent", module + "gossip", module + "gossip/transport", module + "strategy/builtin"},
		params:  "serve func(net.Listener), key []byte",
		fails:   true,
	},
	"connector/hashicorp/memberlist/README.md": {
		dir:     "../connector/hashicorp",
		imports: []string{module + "agent", module + "connector", module + "connector/hashicorp/memberlist", module + "strategy/builtin"},
		results: "conn, err",
	},
	"connector/hashicorp/serf/README.md": {
		dir:     "../connector/hashicorp",
		imports: []string{module + "agent", module + "connector", module + "connector/hashicorp/serf", module + "strategy/builtin"},
		results: "conn, err",
	},
}

const module = "github.com/goconvoke/convoke/"

// block is the text between two fences.
type block struct {
	page     string
	line     int // of its first line
	language string
	text     string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// pageBlocks returns the fenced blocks of a page of the tree.
func pageBlocks(t *testing.T, page string) (all []block) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(page)))
	if err != nil {
		t.Fatal(err)
	}
	var open *block
	for n, line := range strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n") {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open != nil:
			all = append(all, *open)
			open = nil
		case fence:
			open = &block{page: page, line: n + 2, language: language}
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		t.Errorf("%v: the block has no end", open)
	}
	return all
}

// pages returns every page of the tree, as paths from its root.
func pages(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != "..":
			return fs.SkipDir
		case strings.HasSuffix(path, ".md"):
			page, err := filepath.Rel("..", path)
			all = append(all, filepath.ToSlash(page))
			return err
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("pages: %v, %v", all, err)
	}
	return all
}

// Every block with a language is compiled, checked or parsed as a reader would have it.
func TestEveryBlockOfThePagesIsWhatItClaimsToBe(t *testing.T) {
	t.Parallel()
	check := filepath.Join(bin, "convoke-hashicorp")
	framed := make(map[string]bool)
	for _, page := range pages(t) {
		var body []block
		for _, b := range pageBlocks(t, page) {
			switch b.language {
			case "":
			case "go":
				body = append(body, b)
			case "json":
				if !json.Valid([]byte(b.text)) {
					t.Errorf("%v: not valid JSON", b)
				}
			case "yaml":
				checkYAML(t, check, b)
			case "sql":
				checkSQL(t, b)
			default:
				t.Errorf("%v: no test reads blocks in %q", b, b.language)
			}
		}
		if page == "README.md" {
			body = body[min(programBlocks, len(body)):]
		}
		if len(body) == 0 {
			continue
		}
		framed[page] = true
		f, ok := frames[page]
		if !ok {
			t.Errorf("%v: no test compiles it; give its page a frame", body[0])
			continue
		}
		compileFragments(t, f, body)
	}
	for page := range frames {
		if !framed[page] {
			t.Errorf("the frame of %s has no Go block", page)
		}
	}
}

// checkSQL compares a block with the statement in the documentation of package quorum, whose example of a store it is.
func checkSQL(t *testing.T, b block) {
	t.Helper()
	doc, err := os.ReadFile("../quorum/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	if want := "//\t" + strings.ReplaceAll(strings.TrimSpace(b.text), "\n", "\n//\t"); !strings.Contains(string(doc), want) {
		t.Errorf("%v: quorum/doc.go has another statement", b)
	}
}

// checkYAML runs `convoke-hashicorp check` on a block as it stands.
func checkYAML(t *testing.T, check string, b block) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "topology.yaml")
	if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(check, "check", file)
	cmd.Env = append(os.Environ(), "HOSTNAME=orders-1", "CLUSTER_KEY="+key)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", b, err, out)
	}
}

// compileFragments compiles the Go blocks of a page within its frame.
func compileFragments(t *testing.T, f frame, body []block) {
	t.Helper()
	var source strings.Builder
	source.WriteString("package page\n\nimport (\n")
	for _, path := range append([]string{"context"}, f.imports...) {
		fmt.Fprintf(&source, "%q\n", path)
	}
	result, end := "", ""
	if f.fails {
		result, end = "error ", "return nil\n"
	}
	fmt.Fprintf(&source, ")\n\nfunc page(%s) %s{\n", strings.Join(slices.DeleteFunc([]string{"ctx context.Context", f.params}, isEmpty), ", "), result)
	for _, b := range body {
		fmt.Fprintf(&source, "//line %s:%d\n%s", b.page, b.line, b.text)
	}
	fmt.Fprintf(&source, "_ = []any{ctx, %s}\n%s}\n", f.results, end)
	if err := buildSource(t, f.dir, source.String(), os.DevNull); err != nil {
		t.Errorf("%v and the Go blocks that follow on the page: %v", body[0], err)
	}
}

func isEmpty(s string) bool { return s == "" }

// buildSource builds a package of one file that is not in the tree, within the module of a directory, "" for this one. The result is not
// linked if output is os.DevNull.
func buildSource(t *testing.T, dir, source, output string) error {
	t.Helper()
	inside, err := filepath.Abs(filepath.Join(dir, "page", "page.go"))
	if err != nil {
		return err
	}
	temp := t.TempDir()
	file, overlay := filepath.Join(temp, "page.go"), filepath.Join(temp, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {inside: file}})
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(file, []byte(source), 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-overlay", overlay, "-o", output, "./page")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}
