package diff

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/inmem-db/inmem/pkg/codec"
)

// MarshalJSON implements json.Marshaler. A Key, or Extension, that is not UTF-8 has the form of
// Bytes in a value: {"$bytes": "..."}.
func (e Entry) MarshalJSON() ([]byte, error) {
	type fields Entry
	j := struct {
		fields
		// These lie above the fields with the same names.
		Extension *codec.Value `json:"extension,omitempty"`
		Key       *codec.Value `json:"key,omitempty"`
	}{fields: fields(e)}
	if e.Primitive == Extensions {
		j.Extension = text(e.Extension)
	}
	if e.A == nil && e.B == nil {
		j.Key = text(e.Key)
	}
	return json.Marshal(j)
}

// text is a key as a value.
func text(s string) *codec.Value {
	v := codec.String(s)
	if !utf8.ValidString(s) {
		v = codec.Bytes([]byte(s))
	}
	return &v
}
