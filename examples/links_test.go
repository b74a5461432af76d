package examples_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	linkTarget = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	notAnchor  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// A link of a page to a file or a section of the tree leads there. Those to other sites are not asked.
func TestEveryLinkOfThePagesLeadsToAFileAndASection(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		for _, m := range linkTarget.FindAllStringSubmatch(prose(t, page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target, section, _ := strings.Cut(m[1], "#")
			to := page
			if target != "" {
				to = path.Join(path.Dir(page), target)
			}
			if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(to))); err != nil {
				t.Errorf("%s: the link to %s: %v", page, m[1], err)
			} else if section != "" && !hasSection(t, to, section) {
				t.Errorf("%s: the link to %s: that page has no such section", page, m[1])
			}
		}
	}
}

// prose returns a page without its fenced blocks.
func prose(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(page)))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for i, part := range strings.Split("\n"+string(text), "\n```") {
		if i%2 == 0 {
			out.WriteString(part)
		}
	}
	return out.String()
}

// hasSection reports whether a page has a heading with an anchor as GitHub makes it: in lower case, without punctuation, with hyphens for
// blanks.
func hasSection(t *testing.T, page, anchor string) bool {
	t.Helper()
	for line := range strings.SplitSeq(prose(t, page), "\n") {
		heading := strings.TrimLeft(line, "#")
		if heading == line || !strings.HasPrefix(heading, " ") {
			continue
		}
		if strings.ReplaceAll(notAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}
