package transcript

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Malformed says what becomes of a record that is not as it should be.
type Malformed uint8

const (
	// StopAtMalformed ends the import with the record's error. Runs that were written stay.
	StopAtMalformed Malformed = iota
	// SkipMalformed leaves the record out, counts it, and goes on behind it as far as that can be
	// made out.
	SkipMalformed
)

// Options configure Import. The zero value has the defaults.
type Options struct {
	// Read says how the source is read.
	Read ReadOptions
	// Malformed says what becomes of malformed records; default StopAtMalformed.
	Malformed Malformed
	// Tenant, App and Agent are the namespace of the runs. Without an Agent it is the one that the
	// record names.
	Tenant, App, Agent string
	// Model is that of records that name none.
	Model string
	// Tags are further tags of all runs.
	Tags []string
	// PassReward is the reward from which an attempt has succeeded; default 1.
	PassReward float64
	// EntriesPerCommit is how many entries a commit holds; default 1, so that a run can be looked at
	// and forked after each of them. More is faster.
	EntriesPerCommit int
	// Workers is how many runs are written at once; default: the number of processors, at most 4.
	// Each holds one record.
	Workers int
	// Progress, if set, is called after every record, by the goroutine that called Import.
	Progress func(Progress)

	_ struct{}
}

// Progress is how far an import has come.
type Progress struct {
	// Source is the name of the source; Bytes how much of it was read, Total its size, 0 if that is
	// not known.
	Source string `json:"source"`
	Bytes  int64  `json:"bytes"`
	Total  int64  `json:"total"`
	// Runs, Skipped, Malformed, Events and Spans are as in Result, so far.
	Runs      int `json:"runs"`
	Skipped   int `json:"skipped"`
	Malformed int `json:"malformed"`
	Events    int `json:"events"`
	Spans     int `json:"spans"`

	_ struct{}
}

// Result says what an import did.
type Result struct {
	// Source is the name of the source, Format what it was read as.
	Source string `json:"source"`
	Format Format `json:"format"`
	// Bytes were read.
	Bytes int64 `json:"bytes"`
	// Runs were written; Redone of them lay there half written, and were written anew.
	Runs   int `json:"runs"`
	Redone int `json:"redone"`
	// Skipped runs were there already, from an earlier import of the same record.
	Skipped int `json:"skipped"`
	// Completed, Failed and Cancelled are the runs that were written, by how they ended.
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
	// Events, Spans and ToolCalls were written. Messages are the events that somebody said,
	// ToolErrors the calls that failed, Orphans the results that answer no call.
	Events     int `json:"events"`
	Messages   int `json:"messages"`
	Spans      int `json:"spans"`
	ToolCalls  int `json:"tool_calls"`
	ToolErrors int `json:"tool_errors"`
	Orphans    int `json:"orphans"`
	// Malformed counts the records that were left out; Errors says what was wrong with the first of
	// them, at most MaxErrors, in the order of the source.
	Malformed int            `json:"malformed"`
	Errors    []*RecordError `json:"errors,omitempty"`

	_ struct{}
}

// MaxErrors is how many malformed records a Result describes.
const MaxErrors = 100

// MarshalJSON implements json.Marshaler.
func (e *RecordError) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"source": e.Source, "record": e.Record, "offset": e.Offset,
		"error": e.Err.Error()})
}

// ImportFile is Import of the file at a path, whose last part is the name of the source. Errors
// also: those of opening it.
func ImportFile(ctx context.Context, d *inmem.DB, path string, o Options) (Result, error) {
	s, f, err := OpenFile(path)
	if err != nil {
		return Result{}, fmt.Errorf("import transcripts: %w", err)
	}
	defer func() { _ = f.Close() }()
	return Import(ctx, d, s, o)
}

// Import writes every record of a source as a run; the package comment says what is in one. A
// record that was imported before, from a source of the same name, is skipped; what an import that
// was broken off has left of one is deleted and written anew. So an import can be repeated at any
// time. Two of the same source in one database at once would take each other's runs for remnants:
// do not.
//
// The records are read one after the other, and written by several workers. Memory: by the largest
// records, one for each worker and one to come; see ReadOptions.
//
// The result says what was done, also beside an error. Errors: *RecordError for a malformed record
// unless these are skipped, also for what the database refuses; ErrUnknownFormat;
// inmem.ErrInvalidArgument for options that are never right; inmem.ErrCanceled and ErrTimeout;
// those of the reader and of the database.
func Import(ctx context.Context, d *inmem.DB, s Source, o Options) (Result, error) {
	res := Result{Source: s.Name}
	if err := o.fill(); err != nil {
		return res, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	u, err := newUnits(reading, s, o.Read)
	if err != nil {
		return res, fmt.Errorf("import transcripts: %w", wrapContext(err))
	}
	res.Format = u.format
	im := importer{u: u, w: writer{d: d, o: &o}, done: make(chan outcome)}
	im.start(ctx, reading)
	defer func() { // also when Progress panics: nobody waits for a reader of done for ever
		stop()
		for range im.done {
		}
	}()
	for x := range im.done {
		res.Bytes = max(res.Bytes, x.bytes)
		bad := res.add(&x, o.Malformed)
		if reading.Err() != nil && ctx.Err() == nil && errors.Is(bad, context.Canceled) {
			bad = nil // the reader says that it was told to end, and by what is known
		}
		if bad != nil {
			if err == nil || earlier(bad, err) {
				err = bad
			}
			if stopReading(); !errors.Is(bad, ErrMalformed) {
				stop() // otherwise the runs under way are written to their end
			}
		}
		if o.Progress != nil && err == nil {
			o.Progress(Progress{Source: s.Name, Bytes: res.Bytes, Total: s.Size, Runs: res.Runs,
				Skipped: res.Skipped, Malformed: res.Malformed, Events: res.Events, Spans: res.Spans})
		}
	}
	slices.SortFunc(res.Errors, func(a, b *RecordError) int { return int(a.Record - b.Record) })
	if err != nil {
		return res, fmt.Errorf("import transcripts: %w", wrapContext(err))
	}
	return res, nil
}

// fill sets the defaults.
func (o *Options) fill() error {
	if o.EntriesPerCommit < 0 || o.Workers < 0 || o.Malformed > SkipMalformed ||
		len(o.Tags) > maxOwnTags || len(o.Model) > maxWord || o.PassReward != o.PassReward {
		return fmt.Errorf("%w: import transcripts: entries per commit %d and workers %d must not be "+
			"negative, tags (%d) at most %d, the model at most %d bytes, and the reward a number",
			inmem.ErrInvalidArgument, o.EntriesPerCommit, o.Workers, len(o.Tags), maxOwnTags, maxWord)
	}
	if o.PassReward == 0 {
		o.PassReward = 1
	}
	if o.EntriesPerCommit == 0 {
		o.EntriesPerCommit = 1
	}
	if o.Workers == 0 {
		o.Workers = min(runtime.GOMAXPROCS(0), 4)
	}
	return nil
}

// maxOwnTags is the most tags of the options: with those of the record, and of the import, they
// stay below what a run can have.
const maxOwnTags = 32

// wrapContext makes the end of a context match the errors of the database.
func wrapContext(err error) error {
	switch {
	case errors.Is(err, context.Canceled) && !errors.Is(err, inmem.ErrCanceled):
		return fmt.Errorf("%w: %w", inmem.ErrCanceled, err)
	case errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, inmem.ErrTimeout):
		return fmt.Errorf("%w: %w", inmem.ErrTimeout, err)
	}
	return err
}

// earlier says that an error is about a record before that of another one.
func earlier(a, b error) bool {
	var x, y *RecordError
	return errors.As(a, &x) && (!errors.As(b, &y) || x.Record < y.Record)
}

// importer is one import: one goroutine reads, some write, and the caller of Import adds up what
// comes out of done, which is closed behind the last of them.
type importer struct {
	u    *units
	w    writer
	done chan outcome
}

// outcome is what became of one record. A record error has its place in err.
type outcome struct {
	written
	bytes int64
	end   bool // it is the end of the source, and no record
	err   error
}

// job is a unit on its way to a worker, with how much was read by then.
type job struct {
	unit
	bytes int64
}

// start begins; what ends the context of reading leaves those that write alone.
func (im *importer) start(ctx, reading context.Context) {
	jobs := make(chan job)
	var all sync.WaitGroup
	all.Add(1 + im.w.o.Workers)
	go func() {
		defer all.Done()
		defer close(jobs)
		im.read(reading, jobs)
	}()
	for range im.w.o.Workers {
		go func() {
			defer all.Done()
			for j := range jobs {
				x := outcome{bytes: j.bytes}
				var t *Trajectory
				if t, x.err = j.trajectory(); x.err == nil {
					x.written, x.err = im.w.write(ctx, t)
				}
				im.done <- x
			}
		}()
	}
	go func() {
		all.Wait()
		close(im.done)
	}()
}

// read hands out units until the end, or until there is no going on.
func (im *importer) read(ctx context.Context, jobs chan<- job) {
	for {
		x, err := im.u.next()
		if errors.Is(err, io.EOF) {
			im.done <- outcome{bytes: im.u.scan.offset, end: true}
			return
		}
		if err != nil {
			im.done <- outcome{bytes: im.u.scan.offset, err: err}
			var bad *RecordError
			if !errors.As(err, &bad) || bad.Fatal || im.w.o.Malformed != SkipMalformed {
				return
			}
			continue
		}
		select {
		case jobs <- job{unit: x, bytes: im.u.scan.offset}:
		case <-ctx.Done():
			im.done <- outcome{err: ctx.Err()}
			return
		}
	}
}

// add counts an outcome, and returns the error that ends the import.
func (r *Result) add(x *outcome, m Malformed) error {
	var bad *RecordError
	switch {
	case x.end:
		return nil
	case errors.As(x.err, &bad):
		if m == SkipMalformed && !bad.Fatal {
			if r.Malformed++; len(r.Errors) < MaxErrors {
				r.Errors = append(r.Errors, bad)
			}
			return nil
		}
		return bad
	case x.err != nil:
		return x.err
	case x.skipped:
		r.Skipped++
		return nil
	}
	r.Runs++
	if x.redone {
		r.Redone++
	}
	switch x.status {
	case inmem.Completed:
		r.Completed++
	case inmem.Failed:
		r.Failed++
	default:
		r.Cancelled++
	}
	r.Events += x.events
	r.Messages += x.messages
	r.Spans += x.spans
	r.ToolCalls += x.calls
	r.ToolErrors += x.failed
	r.Orphans += x.orphans
	return nil
}
