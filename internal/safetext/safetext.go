// Package safetext makes text of unknown origin fit for errors and logs: bounded in length, on one line, printable.
package safetext

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clip returns the first bytes of s, at most most, without the beginning of a character that does not fit, and with an
// ellipsis where something is missing.
func Clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return head(s, most) + "…"
}

// Quote returns the first bytes of s, at most most, as a Go string literal, with an ellipsis after it where something is
// missing. Control characters and invalid UTF-8 are escaped.
func Quote(s string, most int) string {
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q…", head(s, most))
}

// Error bounds the text of an error that may quote foreign text. A longer one keeps its beginning alone and wraps nothing.
func Error(err error, most int) error {
	if err == nil || len(err.Error()) <= most {
		return err
	}
	return errors.New(Clip(err.Error(), most))
}

// Printable reports whether s is UTF-8 and holds only characters that can be printed; a space is one.
func Printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// head returns the first bytes of s, which has more, up to the beginning of a character.
func head(s string, most int) string {
	end := most
	for end > 0 && end > most-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
