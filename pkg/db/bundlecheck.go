package inmem

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/bundle"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/primitives/statecell"
	"github.com/inmem-db/inmem/pkg/primitives/trace"
	"github.com/inmem-db/inmem/pkg/primitives/vectors"
	"github.com/inmem-db/inmem/pkg/txn"
)

// verifyBundle reads a bundle to its end; check is asked about its head first.
func verifyBundle(
	ctx context.Context, in io.Reader, check func(*bundle.Run) error,
) (BundleInfo, error) {
	return walkBundle(ctx, in, &verifying{check: check})
}

// verifying looks at what only the primitives can judge.
type verifying struct {
	check func(*bundle.Run) error
}

func (v *verifying) begin(r *bundle.Run) error { return v.check(r) }

func (v *verifying) commit(bundle.Commit) error { return nil }

func (v *verifying) change(c *bundle.Change) (err error) {
	if c.Op != codec.ChangePut {
		return nil
	}
	switch c.Primitive {
	case codec.Traces:
		_, err = trace.Decode(c.Key, c.Value)
	case codec.Machines:
		_, err = statecell.DecodeMachine(c.Value)
	case codec.Extensions:
		_, _, err = splitExtension(c.Key)
	case codec.Vectors:
		err = vectors.Check(c.Key, c.Value)
	}
	if err != nil {
		return fmt.Errorf("%w: bundle: %s %q: %w", ErrCorrupt, c.Primitive, c.Key, err)
	}
	return nil
}

// agree demands that what a run shows fits together, as Verify does: spans have their parents,
// cells are in states of their machines, vectors in collections of their dimension. What a bundle
// says of one key can be right, and of two of them not.
func (d *DB) agree(ctx context.Context, s *backend.Scope) error {
	v := verification{d: d, ctx: ctx, report: &VerifyReport{}, most: 1,
		told: map[codec.Scope]bool{}}
	err := d.m.View(ctx, func(view *txn.View) error {
		scope := view.Scope(s)
		if err := v.parents(s, scope); err != nil {
			return err
		}
		if err := v.states(s, scope); err != nil {
			return err
		}
		return v.rows(s, scope)
	})
	if err == nil && v.report.Found > 0 {
		p := v.report.Problems[0]
		err = fmt.Errorf("%w: the bundle makes a run that contradicts itself: %s %q: %s", ErrCorrupt,
			p.Primitive, p.Key, p.Text)
	}
	return err
}

// nullValue is what index entries hold.
var nullValue = []byte{0xf6}

// spanEntries are the keys of the index entries of a span; nil has none.
func spanEntries(id string, stored []byte) ([]string, error) {
	if stored == nil {
		return nil, nil
	}
	return trace.IndexEntries(id, stored)
}

// spool lets a reader be read twice.
type spool struct {
	in    io.Reader
	seek  io.ReadSeeker // in, if it can
	start int64
	file  *os.File // else: what was read of it
}

func newSpool(in io.Reader) (*spool, error) {
	s := &spool{in: in}
	if seek, ok := in.(io.ReadSeeker); ok {
		// A pipe is an *os.File, too.
		if at, err := seek.Seek(0, io.SeekCurrent); err == nil {
			s.seek, s.start = seek, at
			return s, nil
		}
	}
	var err error
	s.file, err = os.CreateTemp("", "inmem-import-*")
	return s, err
}

// first reads it for the first time.
func (s *spool) first() io.Reader {
	if s.seek != nil {
		return s.in
	}
	return io.TeeReader(s.in, s.file)
}

// second reads it again. REQUIRES: the first time came to the end.
func (s *spool) second() (io.Reader, error) {
	if s.seek != nil {
		_, err := s.seek.Seek(s.start, io.SeekStart)
		return s.in, err
	}
	_, err := s.file.Seek(0, io.SeekStart)
	return s.file, err
}

// close removes the temporary file.
func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close()
		_ = os.Remove(s.file.Name())
	}
}
