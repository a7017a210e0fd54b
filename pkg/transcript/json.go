package transcript

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects of a record may lie in each other: less than what a Value
// allows, since a record's parts are stored inside of others.
const maxDepth = 100

// notJSON says where in a record the parser stopped, and why.
type notJSON struct {
	at     int // offset in the record
	reason string
}

func (e *notJSON) Error() string { return e.reason }

func broken(at int, format string, args ...any) error {
	return &notJSON{at: at, reason: fmt.Sprintf(format, args...)}
}

// node is a JSON value with its place in the record.
type node struct {
	kind  nodeKind
	at    int      // offset of its first byte
	text  string   // of a string: its content; of a number: as it is written
	keys  []string // of an object, in their order
	items []node   // elements of an array; values of the keys

	index map[string]struct{} // of the keys, while an object with many of them is read
}

type nodeKind uint8

const (
	isNull nodeKind = iota
	isTrue
	isFalse
	isNumber
	isString
	isArray
	isObject
)

func (k nodeKind) String() string {
	return [...]string{"null", "true", "false", "a number", "a string", "an array", "an object"}[k]
}

// parser reads one JSON text strictly: what package json would mend in silence (keys that come
// twice, text that is not UTF-8, halves of surrogate pairs, numbers out of range) is an error here,
// since nobody could tell afterwards what the record had said.
type parser struct {
	b     []byte
	i     int
	depth int
}

// parseJSON reads a text that holds one value. Errors: *notJSON.
func parseJSON(b []byte) (node, error) {
	p := parser{b: b}
	p.space()
	n, err := p.value()
	if err != nil {
		return node{}, err
	}
	if p.space(); p.i < len(b) {
		return node{}, broken(p.i, "found %s behind the value", p.here())
	}
	return n, nil
}

// here shows what stands at the current place.
func (p *parser) here() string {
	if p.i >= len(p.b) {
		return "the end"
	}
	r, size := utf8.DecodeRune(p.b[p.i:])
	if r == utf8.RuneError && size == 1 {
		return fmt.Sprintf("the byte 0x%02x", p.b[p.i])
	}
	return strconv.QuoteRune(r)
}

func (p *parser) space() {
	for p.i < len(p.b) && (p.b[p.i] == ' ' || p.b[p.i] == '\n' || p.b[p.i] == '\t' ||
		p.b[p.i] == '\r') {
		p.i++
	}
}

func (p *parser) value() (node, error) {
	n := node{at: p.i}
	if p.i >= len(p.b) {
		return n, broken(p.i, "found the end, expected a value")
	}
	var err error
	switch c := p.b[p.i]; {
	case c == '"':
		n.kind = isString
		n.text, err = p.text()
	case c == '{':
		n.kind = isObject
		err = p.container(&n, '}')
	case c == '[':
		n.kind = isArray
		err = p.container(&n, ']')
	case c == '-' || '0' <= c && c <= '9':
		n.kind = isNumber
		n.text, err = p.number()
	case p.word("null"):
		n.kind = isNull
	case p.word("true"):
		n.kind = isTrue
	case p.word("false"):
		n.kind = isFalse
	default:
		err = broken(p.i, "found %s, expected a value", p.here())
	}
	return n, err
}

func (p *parser) word(w string) bool {
	if !bytes.HasPrefix(p.b[p.i:], []byte(w)) {
		return false
	}
	p.i += len(w)
	return true
}

// container reads an array or an object up to its end.
func (p *parser) container(n *node, end byte) error {
	if p.depth++; p.depth > maxDepth {
		return broken(p.i, "more than %d arrays and objects inside each other", maxDepth)
	}
	p.i++
	for first := true; ; first = false {
		p.space()
		switch {
		case p.i < len(p.b) && p.b[p.i] == end:
			p.i++
			p.depth--
			n.index = nil
			return nil
		case first:
		case p.i >= len(p.b) || p.b[p.i] != ',':
			return broken(p.i, "found %s, expected ',' or %q", p.here(), end)
		default:
			p.i++
			p.space()
		}
		if end == '}' {
			if err := p.key(n); err != nil {
				return err
			}
		}
		item, err := p.value()
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
}

// key reads the key of a member, with its colon.
func (p *parser) key(n *node) error {
	at := p.i
	if p.i >= len(p.b) || p.b[p.i] != '"' {
		return broken(p.i, "found %s, expected a key", p.here())
	}
	key, err := p.text()
	if err != nil {
		return err
	}
	if !n.addKey(key) {
		return broken(at, "the key %.100q comes twice", key)
	}
	p.space()
	if p.i >= len(p.b) || p.b[p.i] != ':' {
		return broken(p.i, "found %s, expected ':'", p.here())
	}
	p.i++
	p.space()
	return nil
}

// manyKeys is the number of keys from which an index is cheaper than a walk.
const manyKeys = 32

// addKey appends a key, unless the object has it.
func (n *node) addKey(key string) bool {
	switch {
	case len(n.keys) < manyKeys:
		if slices.Contains(n.keys, key) {
			return false
		}
	case n.index == nil:
		n.index = make(map[string]struct{}, 2*len(n.keys))
		for _, k := range n.keys {
			n.index[k] = struct{}{}
		}
		fallthrough
	default:
		if _, twice := n.index[key]; twice {
			return false
		}
		n.index[key] = struct{}{}
	}
	n.keys = append(n.keys, key)
	return true
}

// text reads a string.
func (p *parser) text() (string, error) {
	start := p.i + 1
	for i := start; i < len(p.b); i++ {
		switch c := p.b[i]; {
		case c == '"':
			p.i = i + 1
			if !utf8.Valid(p.b[start:i]) {
				return "", p.badText(start, i)
			}
			return string(p.b[start:i]), nil
		case c == '\\':
			return p.escapedText(start, i)
		case c < 0x20:
			return "", broken(i, "the byte 0x%02x in a string is not escaped", c)
		}
	}
	return "", broken(start-1, "the string has no end")
}

// badText finds where a string is not UTF-8.
func (p *parser) badText(start, end int) error {
	for i := start; i < end; {
		r, size := utf8.DecodeRune(p.b[i:end])
		if r == utf8.RuneError && size == 1 {
			return broken(i, "the byte 0x%02x is not UTF-8", p.b[i])
		}
		i += size
	}
	return broken(start, "the string is not UTF-8")
}

// escapedText reads a string that has its first backslash at i.
func (p *parser) escapedText(start, i int) (string, error) {
	text := append(make([]byte, 0, i-start+64), p.b[start:i]...)
	for i < len(p.b) {
		switch c := p.b[i]; {
		case c == '"':
			p.i = i + 1
			if !utf8.Valid(text) {
				return "", p.badText(start, i)
			}
			return string(text), nil
		case c == '\\':
			var err error
			if text, i, err = p.escape(text, i); err != nil {
				return "", err
			}
		case c < 0x20:
			return "", broken(i, "the byte 0x%02x in a string is not escaped", c)
		default:
			text = append(text, c)
			i++
		}
	}
	return "", broken(start-1, "the string has no end")
}

// escape appends what the escape at i stands for, and returns the place behind it.
func (p *parser) escape(text []byte, i int) ([]byte, int, error) {
	if i+1 >= len(p.b) {
		return nil, i, broken(i, "the string has no end")
	}
	if at := strings.IndexByte(`"\/bfnrt`, p.b[i+1]); at >= 0 {
		return append(text, "\"\\/\b\f\n\r\t"[at]), i + 2, nil
	}
	r, ok := p.hex(i)
	if !ok {
		return nil, i, broken(i, "%q is no escape", p.b[i:min(i+6, len(p.b))])
	}
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(text, r), i + 6, nil
	}
	low, _ := p.hex(i + 6)
	if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
		return utf8.AppendRune(text, pair), i + 12, nil
	}
	return nil, i, broken(i, "%q is half of a surrogate pair", p.b[i:i+6])
}

// hex reads the escape \uXXXX at i.
func (p *parser) hex(i int) (rune, bool) {
	if i+6 > len(p.b) || p.b[i] != '\\' || p.b[i+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(p.b[i+2:i+6]), 16, 16)
	return rune(n), err == nil
}

// number reads a number that fits into 64 bits.
func (p *parser) number() (string, error) {
	start := p.i
	digits := func() bool {
		from := p.i
		for p.i < len(p.b) && '0' <= p.b[p.i] && p.b[p.i] <= '9' {
			p.i++
		}
		return p.i > from
	}
	if p.b[p.i] == '-' {
		p.i++
	}
	first := p.i
	if !digits() || p.b[first] == '0' && p.i > first+1 {
		return "", broken(start, "%.40q is no number", p.b[start:min(p.i+1, len(p.b))])
	}
	if p.i < len(p.b) && p.b[p.i] == '.' {
		if p.i++; !digits() {
			return "", broken(start, "%.40q is no number", p.b[start:p.i])
		}
	}
	if p.i < len(p.b) && (p.b[p.i] == 'e' || p.b[p.i] == 'E') {
		if p.i++; p.i < len(p.b) && (p.b[p.i] == '+' || p.b[p.i] == '-') {
			p.i++
		}
		if !digits() {
			return "", broken(start, "%.40q is no number", p.b[start:p.i])
		}
	}
	text := string(p.b[start:p.i])
	var err error
	if strings.ContainsAny(text, ".eE") {
		_, err = strconv.ParseFloat(text, 64)
	} else {
		_, err = strconv.ParseInt(text, 10, 64)
	}
	if err != nil {
		return "", broken(start, "the number %.40s does not fit into 64 bits", text)
	}
	return text, nil
}
