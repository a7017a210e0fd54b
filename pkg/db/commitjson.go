package inmem

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/inmem-db/inmem/pkg/codec"
)

// changeJSON is the JSON form of a Change. Text that is not UTF-8 has the form of Bytes in a Value.
type changeJSON struct {
	Primitive  Primitive  `json:"primitive"`
	Extension  *Value     `json:"extension,omitempty"`
	Collection *Value     `json:"collection,omitempty"`
	Op         string     `json:"op"`
	Key        *Value     `json:"key,omitempty"`
	Expires    *time.Time `json:"expires,omitempty"`
	Event      *eventJSON `json:"event,omitempty"`
	Value      *Value     `json:"value,omitempty"`
	Old        *Value     `json:"old,omitempty"`
}

type eventJSON struct {
	Seq     uint64     `json:"seq"`
	Type    string     `json:"type,omitempty"`
	Time    *time.Time `json:"time,omitempty"`
	Payload *Value     `json:"payload,omitempty"`
	Hash    string     `json:"hash,omitempty"`
}

// MarshalJSON implements json.Marshaler: primitive, op and key, and the values that were asked for,
// in the lossless form of Value.
func (c Change) MarshalJSON() ([]byte, error) {
	j := changeJSON{Primitive: c.Primitive, Op: c.Op.String()}
	switch {
	case c.Primitive == PrimitiveEvents:
		j.Event = &eventJSON{Seq: c.Seq}
	case c.Primitive != PrimitiveVectors || c.Key != "": // else a collection itself
		j.Key = textJSON(c.Key)
	}
	if c.Primitive == PrimitiveVectors {
		j.Collection = textJSON(c.Collection)
	}
	if c.Primitive == PrimitiveExtensions {
		j.Extension = textJSON(c.Extension)
	}
	if err := c.valuesJSON(&j); err != nil {
		return nil, err
	}
	return json.Marshal(j)
}

// valuesJSON fills in what was read.
func (c *Change) valuesJSON(j *changeJSON) error {
	if old, ok, err := c.Old(); err != nil {
		return err
	} else if ok {
		j.Old = &old
	}
	if at := c.Expires(); !at.IsZero() {
		at = at.UTC()
		j.Expires = &at
	}
	if !c.Writes() || c.stored == nil || c.stored.Value == nil {
		return nil
	}
	if j.Event == nil {
		v, err := c.Value()
		j.Value = &v
		return err
	}
	e, err := c.Event()
	at := e.Time.UTC()
	*j.Event = eventJSON{
		Seq: e.Seq, Type: e.Type, Time: &at, Payload: &e.Payload, Hash: fmt.Sprintf("%x", e.Hash),
	}
	return err
}

func textJSON(s string) *Value {
	v := String(s)
	if !utf8.ValidString(s) {
		v = codec.Bytes([]byte(s))
	}
	return &v
}
