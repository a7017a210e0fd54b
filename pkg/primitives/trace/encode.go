package trace

import (
	"fmt"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Keys of the stored form that the conventions have no attribute for. On-disk: never change one.
const (
	keyType       = "type"
	keyName       = "name"
	keyParent     = "parent"
	keyStart      = "start_unix_nano"
	keyEnd        = "end_unix_nano"
	keyTags       = "tags"
	keyError      = "error"
	keyCost       = "cost_nano_usd"
	keyAttributes = "attributes"
)

// text is the field that is stored as a String under a key, or nil.
func (s *Span) text(key string) *string {
	switch key {
	case keyType:
		return (*string)(&s.Type)
	case keyName:
		return &s.Name
	case keyParent:
		return &s.Parent
	case keyError:
		return &s.Error
	case attrErrorType:
		return &s.ErrorType
	case attrAgentName:
		return &s.Agent
	case attrConversation:
		return &s.Conversation
	case attrOperation:
		return &s.Operation
	case attrProvider:
		return &s.Provider
	case attrRequestModel:
		return &s.Model
	case attrResponseModel:
		return &s.ResponseModel
	case attrToolCallID:
		return &s.ToolCallID
	}
	return nil
}

// number is the field that is stored as an Int under a key, or nil. Times are apart.
func (s *Span) number(key string) *int64 {
	switch key {
	case attrInputTokens:
		return &s.InputTokens
	case attrOutputTokens:
		return &s.OutputTokens
	case keyCost:
		return (*int64)(&s.Cost)
	}
	return nil
}

var (
	textKeys = []string{keyType, keyName, keyParent, keyError, attrErrorType, attrAgentName,
		attrConversation, attrOperation, attrProvider, attrRequestModel, attrResponseModel,
		attrToolCallID}
	numberKeys = []string{attrInputTokens, attrOutputTokens, keyCost}
)

// encode returns the stored form of a span. Equal spans have equal bytes.
// REQUIRES: check and checkTimes have passed.
func (s *Span) encode() ([]byte, error) {
	entries := make(map[string]codec.Value, 8)
	for key, v := range s.unknown.Entries() {
		entries[key] = v
	}
	for _, key := range textKeys {
		if text := *s.text(key); text != "" {
			entries[key] = codec.String(text)
		}
	}
	for _, key := range numberKeys {
		if n := *s.number(key); n != 0 {
			entries[key] = codec.Int(n)
		}
	}
	entries[keyStart] = codec.Int(s.Start.UnixNano())
	if !s.IsOpen() {
		entries[keyEnd] = codec.Int(s.End.UnixNano())
	}
	if len(s.Tags) > 0 {
		tags := make([]codec.Value, len(s.Tags))
		for i, tag := range s.Tags {
			tags[i] = codec.String(tag)
		}
		list, err := codec.Array(tags...)
		if err != nil {
			return nil, err
		}
		entries[keyTags] = list
	}
	if !s.Attributes.IsNull() {
		entries[keyAttributes] = s.Attributes
	}
	v, err := codec.Map(entries)
	if err != nil {
		return nil, err
	}
	return codec.AppendValue(nil, v)
}

// Decode reads the stored form of the span with an id. It aliases data. Errors: codec.ErrCorrupt.
func Decode(id string, data []byte) (Span, error) { return decode(id, data) }

// decode reads the stored form. Texts alias it. Entries that it does not know it keeps for encode;
// one that it knows and that is of another kind, or a missing start, is codec.ErrCorrupt.
func decode(id string, data []byte) (Span, error) {
	v, err := codec.DecodeValue(data)
	if err != nil {
		return Span{}, err
	}
	s := Span{ID: id}
	unknown := 0
	for key, e := range v.Entries() {
		var known bool
		if known, err = s.set(key, e); err != nil {
			return Span{}, fmt.Errorf("%w: span entry %q: %w", codec.ErrCorrupt, key, err)
		}
		if !known {
			unknown++
		}
	}
	if s.Start.IsZero() {
		return Span{}, fmt.Errorf("%w: span of kind %v without %s", codec.ErrCorrupt, v.Kind(),
			keyStart)
	}
	if unknown > 0 {
		s.unknown, err = unknownOf(v)
	}
	return s, err
}

// set takes over one entry and reports whether it knows the key.
func (s *Span) set(key string, e codec.Value) (known bool, err error) {
	if text := s.text(key); text != nil {
		*text, err = e.AsString()
		return true, err
	}
	if n := s.number(key); n != nil {
		*n, err = e.AsInt()
		return true, err
	}
	switch key {
	case keyStart:
		s.Start, err = asTime(e)
	case keyEnd:
		s.End, err = asTime(e)
	case keyTags:
		s.Tags, err = asTags(e)
	case keyAttributes:
		if s.Attributes = e; e.Kind() != codec.KindMap {
			err = &codec.TypeError{Expected: codec.KindMap.String(), Found: e.Kind().String()}
		}
	default:
		return false, nil
	}
	return true, err
}

func asTime(v codec.Value) (time.Time, error) {
	n, err := v.AsInt()
	return time.Unix(0, n).UTC(), err
}

func asTags(v codec.Value) ([]string, error) {
	if v.Kind() != codec.KindArray {
		return nil, &codec.TypeError{Expected: codec.KindArray.String(), Found: v.Kind().String()}
	}
	tags := make([]string, 0, v.Len())
	for _, e := range v.Items() {
		tag, err := e.AsString()
		if err != nil {
			return nil, err
		}
		tags = append(tags, tag)
	}
	return tags, nil
}

// unknownOf keeps the entries of a stored span that have no field.
func unknownOf(v codec.Value) (codec.Value, error) {
	var probe Span
	rest := map[string]codec.Value{}
	for key, e := range v.Entries() {
		if known, _ := probe.set(key, e); !known {
			rest[key] = e
		}
	}
	return codec.Map(rest)
}
