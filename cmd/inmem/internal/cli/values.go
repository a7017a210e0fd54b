package cli

import (
	"encoding/json"

	"github.com/inmem-db/inmem/cmd/internal/show"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// value reads a value from the command line: JSON if it is some, in the lossless form of
// codec.Value, else the text itself as a String.
func (e *env) value(text string) inmem.Value {
	var v inmem.Value
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return inmem.String(text)
	}
	return v
}

// brief shows a value in so many columns, cut off if it is longer; whole with --full.
func (e *env) brief(v inmem.Value, width int) string {
	text := show.Clean(v.String())
	if e.full {
		return text
	}
	return show.Cut(text, width)
}
