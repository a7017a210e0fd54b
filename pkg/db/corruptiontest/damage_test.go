package corruptiontest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
)

// The regions of a file. "whole" is for what is done to all of it.
const (
	header = "header"
	middle = "middle"
	tail   = "tail"
	whole  = "whole"
)

// The ways to damage a file.
const (
	flip     = "flip a bit"
	zero     = "zero a stretch"
	truncate = "truncate"
	remove   = "delete"
	olden    = "older copy"
	another  = "another of its kind"
)

var regions = []string{header, middle, tail, whole}
var ways = []string{flip, zero, truncate, remove, olden, another}

// kindOf says what kind of file a name is.
func kindOf(name string) string {
	switch base := path.Base(name); {
	case strings.HasPrefix(name, "derived/"):
		return "derived/*"
	case strings.HasSuffix(base, ".sst"):
		return "*.sst"
	case strings.HasSuffix(base, ".log"):
		return "*.log"
	case strings.HasPrefix(base, "marker."):
		return strings.Join(strings.Split(base, ".")[:2], ".") + ".*"
	case strings.HasPrefix(base, "MANIFEST-"), strings.HasPrefix(base, "OPTIONS-"):
		return base[:strings.Index(base, "-")] + "-*"
	default:
		return base
	}
}

// damage is one file, spoilt in one way.
type damage struct {
	file        string
	way, region string
	at          string // where exactly, for messages
	data        []byte // nil: the file is gone
	as          string // the name that the file gets, if it is another one
}

func (d *damage) String() string {
	return fmt.Sprintf("%s: %s, %s, %s", d.file, d.way, d.region, d.at)
}

// spans are the offsets of the regions of a file of n bytes.
func spans(n int) map[string][2]int {
	head := min(n/3, 64)
	return map[string][2]int{
		header: {0, max(1, head)}, middle: {head, max(head+1, n-head)}, tail: {max(0, n-head-1), n},
	}
}

// damages are ways to spoil a file that change it: some places in every region for every way.
func (s *subject) damages(name string, rng *rand.Rand, places int) (all []*damage) {
	data := s.now[name]
	add := func(d *damage) {
		if d.file = name; d.as != "" || d.data == nil || !bytes.Equal(d.data, data) {
			all = append(all, d)
		}
	}
	add(&damage{way: remove, region: whole})
	n := len(bytes.TrimRight(data, "\x00")) // the rest was only reserved
	for region, span := range spans(n) {
		if n == 0 {
			break
		}
		for range places {
			i := span[0] + rng.IntN(span[1]-span[0])
			at := fmt.Sprintf("byte %d of %d", i, n)
			bit := bytes.Clone(data)
			bit[i] ^= 1 << rng.IntN(8)
			add(&damage{way: flip, region: region, at: at, data: bit})
			gap := bytes.Clone(data)
			clear(gap[i:min(n, i+1+rng.IntN(200))])
			add(&damage{way: zero, region: region, at: at, data: gap})
			add(&damage{way: truncate, region: region, at: at, data: append([]byte{}, data[:i]...)})
		}
	}
	s.copies(name, add)
	slices.SortFunc(all, func(a, b *damage) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// copies are older copies of the same file, and others of its kind in its place.
func (s *subject) copies(name string, add func(*damage)) {
	data, kind := s.now[name], kindOf(name)
	for i, old := range s.older {
		if was, ok := old[name]; ok {
			at := fmt.Sprint("copy ", i)
			add(&damage{way: olden, region: whole, at: at, data: append([]byte{}, was...)})
		}
		for _, other := range old.names() {
			if kindOf(other) != kind || other == name {
				continue
			}
			at := fmt.Sprintf("%s of copy %d", other, i)
			if strings.HasPrefix(kind, "marker.") { // what they say is in their names
				add(&damage{way: olden, region: whole, at: at, as: other})
			} else {
				add(&damage{way: another, region: whole, at: at, data: append([]byte{}, old[other]...)})
			}
		}
	}
	for _, other := range s.now.names() {
		if kindOf(other) == kind && other != name && len(data) > 0 {
			content := append([]byte{}, s.now[other]...)
			add(&damage{way: another, region: whole, at: other, data: content})
		}
	}
}
