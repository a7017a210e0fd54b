package transcript

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// DefaultMaxRecord is how many bytes a record has at most unless the options say otherwise.
const DefaultMaxRecord = 64 << 20

// Source is where transcripts are read from.
type Source struct {
	// Name identifies the source: the same record of a source with the same name becomes the same
	// run. It is not a path, so that a file can be moved. Must not be empty.
	Name string
	// Reader has the bytes. It is read once, from its beginning to its end.
	Reader io.Reader
	// Size is the number of bytes, for the progress; 0 if it is not known.
	Size int64

	_ struct{}
}

// ReadOptions say how a source is read.
type ReadOptions struct {
	// Format is how the source is written; default: what Detect finds.
	Format Format
	// MaxRecord is the most bytes of a record; default DefaultMaxRecord. It is the bound on memory:
	// parsed, a record takes a few times its size. Of JSONL it is the most that is held of all runs
	// whose lines lie between each other.
	MaxRecord int

	_ struct{}
}

// OpenFile opens a file as a source whose name is the last part of the path. The caller closes the
// file. Errors: those of os.Open.
func OpenFile(path string) (Source, *os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return Source{}, nil, err
	}
	s := Source{Name: strings.ToValidUTF8(filepath.Base(path), "\ufffd"), Reader: f}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		s.Size = info.Size()
	}
	return s, f, nil
}

// Read yields the trajectories of a source in the order of their records (of JSONL: in that in
// which they are whole), one at a time: memory for one record, besides 30 bytes for each record
// that was read. A malformed record is yielded as a *RecordError without a trajectory; the
// iteration goes on behind it as far as it can, and it is the caller's choice to break. Every other
// error is yielded last: ErrUnknownFormat, inmem.ErrInvalidArgument, those of the Reader and of
// ctx.
func Read(ctx context.Context, s Source, o ReadOptions) iter.Seq2[*Trajectory, error] {
	return func(yield func(*Trajectory, error) bool) {
		u, err := newUnits(ctx, s, o)
		for err == nil {
			var x unit
			if x, err = u.next(); err != nil {
				if errors.Is(err, io.EOF) {
					return
				}
			} else {
				var t *Trajectory
				if t, err = x.trajectory(); err == nil {
					if !yield(t, nil) {
						return
					}
					continue
				}
			}
			var bad *RecordError
			if errors.As(err, &bad) && !bad.Fatal {
				if !yield(nil, err) {
					return
				}
				err = nil
			}
		}
		yield(nil, err)
	}
}

// unit is what becomes one run: a record, or the lines of a run.
type unit struct {
	source, id string
	format     Format
	number     int64
	offset     int64
	data       []byte
	lines      []line
}

// units cuts a source into units and gives them their ids.
type units struct {
	source string
	format Format
	scan   scanner
	ids    identities
	lines  *grouper // JSONL only
	ready  [][]line // runs that are whole
	ended  bool
}

func newUnits(ctx context.Context, s Source, o ReadOptions) (*units, error) {
	if s.Name == "" || s.Reader == nil || o.MaxRecord < 0 {
		return nil, fmt.Errorf("%w: read transcripts: a source has a name and a reader, and the "+
			"greatest size of a record is not negative", inmem.ErrInvalidArgument)
	}
	if len(s.Name) > maxWord || !utf8.ValidString(s.Name) {
		return nil, fmt.Errorf("%w: read transcripts: the name of the source has %d bytes, at most %d, "+
			"of UTF-8", inmem.ErrInvalidArgument, len(s.Name), maxWord)
	}
	if _, err := ParseFormat(string(o.Format)); err != nil {
		return nil, err
	}
	limit := o.MaxRecord
	if limit == 0 {
		limit = DefaultMaxRecord
	}
	r := bufio.NewReaderSize(s.Reader, sniffSize)
	head, err := r.Peek(sniffSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", s.Name, err)
	}
	format := o.Format
	if format == "" {
		if format, err = Detect(s.Name, head); err != nil {
			return nil, err
		}
	}
	u := &units{source: s.Name, format: format, ids: newIdentities(s.Name), scan: scanner{
		ctx: ctx, source: s.Name, r: r, shape: shapeOf(format, head), limit: limit}}
	if bytes.HasPrefix(head, bom) {
		u.scan.skip(len(bom))
	}
	if format == JSONL {
		u.lines = newGrouper(limit)
	}
	return u, nil
}

// next returns the next unit, or io.EOF. See scanner.next for errors.
func (u *units) next() (unit, error) {
	if u.lines != nil {
		return u.nextRun()
	}
	x, err := u.scan.next()
	if err != nil {
		return unit{}, err
	}
	return unit{source: u.source, format: u.format, number: x.number, offset: x.offset, data: x.data,
		id: u.ids.of(x.data)}, nil
}

// nextRun reads lines until a run is whole.
func (u *units) nextRun() (unit, error) {
	for len(u.ready) == 0 {
		if u.ended {
			return unit{}, io.EOF
		}
		x, err := u.scan.next()
		if errors.Is(err, io.EOF) {
			u.ended = true
			u.ready = u.lines.rest()
			continue
		}
		if err != nil {
			return unit{}, err
		}
		l, err := readLine(x)
		if err == nil {
			l.text = x.data
			u.ready, err = u.lines.add(l)
		}
		if err != nil {
			return unit{}, &RecordError{Source: u.source, Record: x.number, Offset: x.offset + place(err),
				Err: err}
		}
	}
	lines := u.ready[0]
	u.ready = u.ready[1:]
	return unit{source: u.source, format: JSONL, number: lines[0].number, offset: lines[0].offset,
		lines: lines, id: u.ids.ofLines(lines)}, nil
}

// trajectory reads a unit. It is pure; the result aliases nothing. Errors: *RecordError.
func (x *unit) trajectory() (*Trajectory, error) {
	t, err := x.read()
	if err == nil {
		err = t.check()
	}
	var bad *RecordError
	if errors.As(err, &bad) {
		bad.Source = x.source
		return nil, bad
	}
	if err != nil {
		return nil, &RecordError{Source: x.source, Record: x.number, Offset: x.offset + place(err),
			Err: err}
	}
	t.Source, t.Record, t.Offset, t.ID = x.source, x.number, x.offset, x.id
	t.pair()
	t.follow()
	t.setTimes()
	t.setTotals()
	return t, nil
}

func (x *unit) read() (*Trajectory, error) {
	if x.format == JSONL {
		return readLines(x.lines)
	}
	n, err := parseJSON(x.data)
	if err != nil {
		return nil, err
	}
	if x.format == SWEAgent {
		return readSWEAgent(&n, x.source)
	}
	return readOpenAI(&n)
}

// place is where in its record an error lies.
func place(err error) int64 {
	var at *notJSON
	if errors.As(err, &at) {
		return int64(at.at)
	}
	return 0
}
