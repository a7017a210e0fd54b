// Package terminal prepares text for a terminal and for tables: what lies in a database is written
// by programs and models, and may hold anything.
package terminal

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean escapes what a terminal would not print as a character: text from a database must not break
// a line, and must not command a terminal. What is not UTF-8 is escaped byte by byte. Text that
// needs none of that is returned as it is.
func Clean(text string) string {
	plain := func(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }
	if strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		piece := text[:size]
		text = text[size:]
		if !plain(r) && piece != string(utf8.RuneError) {
			quoted := strconv.Quote(piece)
			piece = quoted[1 : len(quoted)-1]
		}
		b.WriteString(piece)
	}
	return b.String()
}

// Cut shortens text that has more than a number of characters; it ends in "…" then.
func Cut(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	if most < 1 {
		return ""
	}
	n := 0
	for i := range text {
		if n++; n == most {
			return text[:i] + "…"
		}
	}
	return text
}
