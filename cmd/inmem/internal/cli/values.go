package cli

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/inmem-db/inmem/internal/terminal"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// value reads a value from the command line: JSON if it is some, in the lossless form of
// codec.Value, else the text itself as a String. What begins like an object, array or text of JSON
// and is none is refused: it was meant as one.
func (e *env) value(text string) (inmem.Value, error) {
	var v inmem.Value
	err := json.Unmarshal([]byte(text), &v)
	if err == nil {
		return v, nil
	}
	if t := strings.TrimSpace(text); t != "" && strings.ContainsAny(t[:1], `{["`) {
		return v, advise(usagef("this is no JSON: %w", err), "mend it, or give --text to take it as text")
	}
	return inmem.String(text), nil
}

// brief shows a value in so many columns, cut off if it is longer; whole with --full.
func (e *env) brief(v inmem.Value, width int) string {
	text := terminal.Clean(v.String())
	if e.full {
		return text
	}
	return terminal.Cut(text, width)
}

// indented shows a value whole, over several lines if it has parts.
func (e *env) indented(v inmem.Value) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(v.String()), "", "  "); err != nil {
		return v.String() // it is JSON
	}
	return b.String()
}

// cut shortens text, if not told to write it whole, and cleans it.
func (e *env) cut(text string, width int) string {
	if text = terminal.Clean(text); e.full {
		return text
	}
	return terminal.Cut(text, width)
}
