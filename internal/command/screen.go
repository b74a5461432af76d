package command

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	xterm "golang.org/x/term"
)

const (
	shownNames = 20 // of a list in one line
	// A cell of a table is at most so many characters long on a terminal: the beginning and the end of what is longer.
	shownStart, shownEnd = 50, 24
	// leastText is the width below which text is not wrapped: it would be a column of single words.
	leastText = 30
)

// screen is where a command prints text for people. On a terminal long cells are cut in their middle and sentences are wrapped; what goes to
// a file or another program, or is printed with -o wide, is whole.
type screen struct {
	io.Writer
	width int  // of the terminal, in characters; 0 where nothing is cut or wrapped
	whole bool // lists of names are not capped either
}

// screenOf returns the screen that is stdout of a command.
func screenOf(c *cobra.Command, as format) screen {
	s := screen{Writer: c.OutOrStdout(), whole: as == asWide}
	if f, ok := s.Writer.(interface{ Fd() uintptr }); ok && !s.whole {
		if width, _, err := xterm.GetSize(int(f.Fd())); err == nil { // else it is not a terminal
			s.width = width
		}
	}
	return s
}

// cell makes text of others fit for a cell of a table.
func (s screen) cell(text string) string {
	if n := utf8.RuneCountInString(text); s.width > 0 && n > shownStart+shownEnd+1 {
		runes := []rune(text)
		return displayText(string(runes[:shownStart])) + "…" + displayText(string(runes[n-shownEnd:])) + fmt.Sprintf(" (%d bytes)", len(text))
	}
	return displayText(text)
}

// names writes names in one line, a bounded number of them.
func (s screen) names(all []string) string {
	shown := all
	if !s.whole && len(all) > shownNames {
		shown = all[:shownNames]
	}
	var safe []string
	for _, name := range shown {
		safe = append(safe, displayText(name))
	}
	if more := len(all) - len(shown); more > 0 {
		safe = append(safe, fmt.Sprintf("and %d more (all: -o wide)", more))
	}
	return orNothing(strings.Join(safe, " "))
}

// printRows prints a table of two columns. Text of the second one goes on below its beginning.
func (s screen) printRows(rows [][2]string) error {
	column := 0
	for _, row := range rows {
		column = max(column, utf8.RuneCountInString(row[0])+2)
	}
	if s.width > 0 {
		column = min(column, max(0, s.width-leastText)) // longer names push their text to the right
	}
	var b strings.Builder
	for _, row := range rows {
		name := row[0]
		for _, line := range wrap(row[1], s.width-column) {
			fmt.Fprintf(&b, "%s%s%s\n", name, strings.Repeat(" ", max(2, column-utf8.RuneCountInString(name))), line)
			name = ""
		}
	}
	_, err := io.WriteString(s, b.String())
	return err
}

// wrap divides text at its spaces into lines of at most width characters; a word that is longer has a line of its own. A width that is too small
// leaves it whole.
func wrap(text string, width int) []string {
	if width < leastText {
		return []string{text}
	}
	var lines []string
	line, used := "", 0
	for i, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
			line, used = word, n
		case used+1+n > width:
			lines = append(lines, line)
			line, used = word, n
		default:
			line, used = line+" "+word, used+1+n
		}
	}
	return append(lines, line)
}
