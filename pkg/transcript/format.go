package transcript

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Format says how a source is written.
type Format string

// The formats. The empty Format stands for what Detect finds.
const (
	// OpenAIMessages are chat messages with tool calls and tool results: one array of messages, an
	// array of such arrays, records of the form {"messages": [...]} in an array or one per line, and
	// the files of tau-bench ({"task_id", "trial", "reward", "info", "traj"}).
	OpenAIMessages Format = "openai-messages"
	// SWEAgent is one .traj file, an array of their contents, or one per line.
	SWEAgent Format = "swe-agent"
	// JSONL is one event per line, in the schema of this package.
	JSONL Format = "jsonl"
)

// Formats lists the formats, in the order of their names.
func Formats() []Format { return []Format{JSONL, OpenAIMessages, SWEAgent} }

// ParseFormat returns the format with a name; the empty name is the empty Format. Errors:
// inmem.ErrInvalidArgument, naming all formats.
func ParseFormat(name string) (Format, error) {
	if f := Format(name); f == "" || slices.Contains(Formats(), f) {
		return f, nil
	}
	return "", fmt.Errorf("%w: format %q, must be one of %v", inmem.ErrInvalidArgument, name,
		Formats())
}

// ErrUnknownFormat is the error of Detect for what is in none of the formats.
var ErrUnknownFormat = errors.New("unknown format")

// sniffSize is how many bytes at the beginning of a source tell its format.
const sniffSize = 256 << 10

// Detect tells the format of a source by its name and its first bytes: 256 KiB are plenty, all
// there is if there is less. It looks at the keys of the first object; the name (its ending .traj
// or .jsonl) decides only where these do not. Errors: ErrUnknownFormat.
func Detect(name string, head []byte) (Format, error) {
	l := lookAt(head)
	switch {
	case l.has("trajectory"), l.has("history") && !l.has("messages"):
		return SWEAgent, nil
	case l.has("messages"), l.has("traj"):
		return OpenAIMessages, nil
	case l.top == '[' && (l.element == '[' || l.element == ']' || l.has("role")):
		return OpenAIMessages, nil
	case l.top == '[' && l.has("task_id"):
		return OpenAIMessages, nil
	case l.top == '{' && (l.has("type") || l.has("role")):
		return JSONL, nil
	}
	switch ext := strings.ToLower(filepath.Ext(name)); {
	case l.top == '{' && ext == ".traj":
		return SWEAgent, nil
	case l.top == '{' && ext == ".jsonl":
		return JSONL, nil
	}
	return "", fmt.Errorf("%w: %q begins with %s; name one of %v", ErrUnknownFormat, name, l,
		Formats())
}

// shape says where one record of a source ends and the next one begins.
type shape uint8

const (
	shapeValues   shape = iota // JSON values behind each other; usually one
	shapeElements              // the elements of one array
	shapeLines                 // one value per line
)

// shapeOf finds the shape of a source whose format is known.
func shapeOf(f Format, head []byte) shape {
	l := lookAt(head)
	switch {
	case f == JSONL, l.lines:
		return shapeLines
	case l.top == '[' && !(f == OpenAIMessages && l.element == '{' && l.has("role")):
		return shapeElements
	}
	return shapeValues
}

// look is what the beginning of a source shows.
type look struct {
	top, element byte     // its first byte, and the first one in an array; 0 for none
	keys         []string // of the first object, as far as it was seen
	lines        bool     // one value per line: the first line is whole, and it is no lonely array
}

func (l *look) has(key string) bool { return slices.Contains(l.keys, key) }

func (l look) String() string {
	switch {
	case l.top == 0:
		return "nothing"
	case len(l.keys) > 0:
		return fmt.Sprintf("an object with the keys %.100q", l.keys[:min(len(l.keys), 8)])
	}
	return fmt.Sprintf("%q", l.top)
}

// maxKeys is how many keys of the first object are looked at.
const maxKeys = 256

// lookAt reads the beginning of a source. It does not judge: what is malformed is found later.
func lookAt(head []byte) look {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, bom), space)
	if len(head) == 0 {
		return look{}
	}
	l := look{top: head[0]}
	inner := head
	if l.top == '[' {
		if inner = bytes.TrimLeft(head[1:], space); len(inner) > 0 {
			l.element = inner[0]
		}
	}
	l.keys = keysOf(inner)
	line, rest, more := bytes.Cut(head, []byte("\n"))
	more = more && len(bytes.TrimLeft(rest, space)) > 0
	l.lines = (more || l.top == '{') && balanced(line)
	return l
}

// keysOf lists the keys of the object that b begins with, as they are written.
func keysOf(b []byte) (keys []string) {
	var f frame
	start := -1
	for i, c := range b {
		was := f.inString
		done := f.step(c)
		switch {
		case f.depth == 1 && !was && f.inString:
			start = i + 1
		case f.depth == 1 && was && !f.inString && start >= 0:
			after := bytes.TrimLeft(b[i+1:], space)
			if b[0] == '{' && len(after) > 0 && after[0] == ':' {
				keys = append(keys, string(b[start:i]))
			}
			start = -1
		}
		if done || f.depth <= 0 || len(keys) == maxKeys {
			break
		}
	}
	return keys
}

// balanced says that a line holds as many closing brackets as opening ones.
func balanced(line []byte) bool {
	var f frame
	for _, c := range line {
		f.step(c)
	}
	return f.depth == 0 && !f.inString
}
