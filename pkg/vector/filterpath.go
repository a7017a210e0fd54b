package vector

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Limits of a path.
const (
	maxPathSize  = 1 << 10
	maxPathSteps = 32
)

// Path leads from the metadata of a row to a value in it, or to several. As text it is steps with
// dots between them: user.name is what the Map under user has under name. At an Array a step is the
// index of an element, from 0, or * for each of them: tags.* leads to all tags. A dot, star or
// backslash that belongs to a key of a Map has a backslash before it. Immutable.
type Path struct {
	text  string
	steps []pathStep
}

// pathStep is one step: a key of a Map, and what it is for an Array.
type pathStep struct {
	key   string
	index int // -1: none
	all   bool
}

// ParsePath reads a path. Errors: codec.ErrInvalidArgument for one that is empty, has an empty step
// or a stray backslash, or is not UTF-8; codec.ErrTooLarge over 1 KiB or 32 steps.
func ParsePath(text string) (Path, error) {
	if len(text) > maxPathSize {
		return Path{}, &codec.SizeError{What: "path", Size: len(text), Limit: maxPathSize}
	}
	if !utf8.ValidString(text) {
		return Path{}, fmt.Errorf("%w: path %q is not UTF-8", codec.ErrInvalidArgument, text)
	}
	p := Path{text: text}
	for rest, more := text, true; more; {
		var s pathStep
		var err error
		if s, rest, more, err = parseStep(rest); err != nil {
			return Path{}, fmt.Errorf("path %q: %w", text, err)
		}
		p.steps = append(p.steps, s)
	}
	if n := len(p.steps); n > maxPathSteps {
		return Path{}, &codec.SizeError{What: "number of steps of a path", Size: n,
			Limit: maxPathSteps}
	}
	return p, nil
}

// parseStep cuts the first step off, and tells whether another must follow.
func parseStep(text string) (s pathStep, rest string, more bool, err error) {
	var key strings.Builder
	end := len(text)
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '.' {
			end, more = i, true
			break
		}
		if c == '\\' {
			if i++; i == len(text) || !strings.ContainsRune(`.*\`, rune(text[i])) {
				return s, "", false, fmt.Errorf("%w: a backslash before what needs none",
					codec.ErrInvalidArgument)
			}
			c = text[i]
		}
		key.WriteByte(c)
	}
	if end == 0 {
		return s, "", false, fmt.Errorf("%w: an empty step", codec.ErrInvalidArgument)
	}
	s = pathStep{key: key.String(), index: -1, all: text[:end] == "*"}
	if n, err := strconv.Atoi(s.key); err == nil && n >= 0 && strconv.Itoa(n) == s.key {
		s.index = n
	}
	if more {
		rest = text[end+1:]
	}
	return s, rest, more, nil
}

// String is the path as ParsePath takes it.
func (p Path) String() string { return p.text }

// Values are what the path leads to, in the order of the Arrays it goes through: none if it leads
// nowhere, and one if there is no * in it. An empty path leads nowhere.
func (p Path) Values(metadata codec.Value) []codec.Value {
	if len(p.steps) == 0 {
		return nil
	}
	return appendAt(nil, metadata, p.steps)
}

func appendAt(dst []codec.Value, v codec.Value, steps []pathStep) []codec.Value {
	for i, s := range steps {
		switch v.Kind() {
		case codec.KindMap:
			next, ok := v.Lookup(s.key)
			if !ok || s.all {
				return dst
			}
			v = next
		case codec.KindArray:
			if s.all {
				for _, e := range v.Items() {
					dst = appendAt(dst, e, steps[i+1:])
				}
				return dst
			}
			if s.index < 0 || s.index >= v.Len() {
				return dst
			}
			v = v.Index(s.index)
		default:
			return dst
		}
	}
	return append(slices.Grow(dst, 1), v)
}
