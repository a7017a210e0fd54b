package runindex

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Index finds runs by what is in their records. It is a small value: copy it freely. Directly, or
// on a view, it is safe for concurrent use; made from a transaction it shares the transaction's
// rules, sees the records as the transaction has changed them, and what a query returned joins the
// read set, with the index entries that it went over.
//
// Errors of all methods: codec.ErrInvalidArgument, codec.ErrTooLarge, codec.ErrCorrupt,
// txn.ErrTxnDone in an ended transaction or view, txn.ErrTimeout and txn.ErrCanceled, and those of
// the storage.
type Index struct {
	scope txn.Scope
	epoch uint64
}

// New returns the index over the system scope, as it looks in an epoch: which open of the database
// this is.
func New(system txn.Scope, epoch uint64) Index { return Index{scope: system, epoch: epoch} }

// Get returns a run, whatever its status. Errors also: txn.ErrRunNotFound.
func (x Index) Get(ctx context.Context, id string) (Info, error) {
	r, err := x.find(ctx, id)
	if err != nil {
		return Info{}, fmt.Errorf("get run %s: %w", shown(id), err)
	}
	return infoOf(&r, x.epoch), nil
}

// Exists reports whether there is a run with an id, whatever its status.
func (x Index) Exists(ctx context.Context, id string) (bool, error) {
	_, err := x.find(ctx, id)
	if errors.Is(err, txn.ErrRunNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("exists run %s: %w", shown(id), err)
	}
	return true, nil
}

func (x Index) find(ctx context.Context, id string) (codec.ScopeRecord, error) {
	parsed, err := ParseID(id)
	if err != nil {
		return codec.ScopeRecord{}, err
	}
	return load(ctx, x.scope, idText(parsed))
}

// Beginning returns the runs whose ids begin with a text, whatever their status, in the order of
// the ids, at most limit of them (0: all), all from one version: what a person means who writes
// down the first characters of an id. Letters may be of either case; what no id begins with finds
// none. Inside a transaction the records join the read set. Cost: a lookup for each run that is
// found.
//
// Errors also: codec.ErrInvalidArgument for a negative limit.
func (x Index) Beginning(ctx context.Context, text string, limit int) ([]Info, error) {
	if limit < 0 {
		return nil, fmt.Errorf("runs beginning with %s: %w: limit %d", shown(text),
			codec.ErrInvalidArgument, limit)
	}
	list, err := x.beginning(ctx, strings.ToLower(text), limit)
	if err != nil {
		return nil, fmt.Errorf("runs beginning with %s: %w", shown(text), err)
	}
	return list, nil
}

func (x Index) beginning(ctx context.Context, prefix string, limit int) ([]Info, error) {
	var list []Info
	s := x.scope.Snapshot()
	c := s.Scan(ctx, codec.ScopeRecords, txn.PrefixRange(prefix))
	defer c.Close()
	for (limit == 0 || len(list) < limit) && c.Next() {
		if !isRun(c.Key()) {
			continue
		}
		// An old version may still show the record of a run that was deleted since: load knows.
		r, err := load(ctx, s, c.Key())
		if errors.Is(err, txn.ErrRunNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, infoOf(&r, x.epoch))
	}
	return list, c.Err()
}

// load reads the record of a run. One that is being imported is none yet.
func load(ctx context.Context, s txn.Scope, id string) (codec.ScopeRecord, error) {
	r, err := loadAny(ctx, s, id)
	if err == nil && r.Kind == codec.KindImport {
		err = txn.ErrRunNotFound
	}
	return r, err
}

// loadAny is load that also finds what is being imported.
func loadAny(ctx context.Context, s txn.Scope, id string) (codec.ScopeRecord, error) {
	e, err := s.Get(ctx, codec.ScopeRecords, id)
	if err != nil {
		return codec.ScopeRecord{}, err
	}
	if !e.Exists {
		return codec.ScopeRecord{}, txn.ErrRunNotFound
	}
	return codec.DecodeScopeRecord(e.Value)
}

// pageWork is how far one page may walk, in steps: a few milliseconds.
const pageWork = 4000

// Query returns a page of runs, all from one version. Every page looks anew.
//
// A page costs by what is on it, not by how many runs there are. Conditions that each hold for many
// runs but together for few are searched for up to a bounded number of steps: then the page holds
// fewer runs than its Limit, even none, while Next is not empty. A run that exists at the first
// page, and still meets the conditions when its page comes, is on exactly one page, whatever is
// begun, changed and deleted meanwhile.
//
// Errors also: codec.ErrInvalidArgument for a Limit over MaxLimit, and for a Token that is none or
// comes from another Query.
func (x Index) Query(ctx context.Context, q Query) (Page, error) {
	p, err := x.query(ctx, q, pageWork)
	if err != nil {
		return Page{}, fmt.Errorf("query runs: %w", err)
	}
	return p, nil
}

func (x Index) query(ctx context.Context, q Query, work int) (Page, error) {
	f, err := newFilter(&q)
	if err != nil {
		return Page{}, err
	}
	if q.Limit > MaxLimit {
		return Page{}, fmt.Errorf("%w: limit %d, at most %d", codec.ErrInvalidArgument, q.Limit,
			MaxLimit)
	}
	if q.Limit == 0 {
		q.Limit = DefaultLimit
	}
	bound := ""
	if q.Token != "" {
		if bound, err = f.bound(q.Token); err != nil {
			return Page{}, err
		}
	}
	w := x.walk(ctx, f, work)
	if bound == "" {
		bound = w.start()
	}
	p, next, err := x.page(f, w, bound, q.Limit)
	if err == nil && next != "" {
		p.Next = f.token(next)
	}
	return p, err
}

// walk begins a walk at one version.
func (x Index) walk(ctx context.Context, f *filter, work int) *walk {
	return &walk{
		ctx: ctx, scope: x.scope.Snapshot(), down: f.down, from: f.from, to: f.to, left: work,
	}
}

// page reads runs from a bound on, and returns the bound where the next page begins, if any.
func (x Index) page(f *filter, w *walk, bound string, limit int) (p Page, next string, err error) {
	s, err := x.streams(f, w)
	if err != nil {
		return Page{}, "", err
	}
	defer s.close()
	for {
		switch s.seek(bound) {
		case failed:
			return Page{}, "", w.err
		case exhausted:
			return p, "", nil
		case cut:
			return p, s.front(), nil
		}
		if err := w.ctx.Err(); err != nil {
			return Page{}, "", txn.ContextError(err)
		}
		place := s.place()
		if len(p.Runs) == limit {
			return p, bound, nil // there is more
		}
		r, ok, err := x.at(w, f, place)
		if err != nil {
			return Page{}, "", err
		}
		if ok {
			p.Runs = append(p.Runs, infoOf(&r, x.epoch))
		}
		bound = w.past(place)
	}
}

// streams looks up what the streams of a filter depend on.
func (x Index) streams(f *filter, w *walk) (stream, error) {
	l, err := readLayout(w.ctx, w.scope.Peek)
	if err == nil {
		err = f.resolve(w.ctx, w.scope)
	}
	if err != nil {
		return nil, err
	}
	return f.streams(w, l, x.epoch), nil
}

// at reads the record of the run at a place. There may be none: at an old version the record of a
// run that was deleted since, and its entries, may be found or not.
func (x Index) at(w *walk, f *filter, place string) (r codec.ScopeRecord, ok bool, err error) {
	created, id, ok := decodePlace(place)
	if !ok {
		return r, false, damaged("an entry cannot be read")
	}
	r, err = load(w.ctx, w.scope, idText(id))
	switch {
	case errors.Is(err, txn.ErrRunNotFound):
		return r, false, nil
	case err == nil && (r.Created != created || !f.matches(&r, x.epoch)):
		err = damaged("run %s is not what its entries say", idText(id))
	}
	return r, err == nil, err
}

// allPage is how many runs All reads at once.
const allPage = 100

// All yields the runs of a query, all from one version: directly the one that is published when the
// iteration begins. An error is yielded once and last. Breaking out early is fine. The sequence can
// be iterated again and then looks anew. Cost: as Query, for each hundred runs.
func (x Index) All(ctx context.Context, q Query) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := x.all(ctx, q, yield); err != nil {
			yield(Info{}, fmt.Errorf("all runs: %w", err))
		}
	}
}

func (x Index) all(ctx context.Context, q Query, yield func(Info, error) bool) error {
	f, err := newFilter(&q)
	if err != nil {
		return err
	}
	one := Index{scope: x.scope.Snapshot(), epoch: x.epoch}
	bound := one.walk(ctx, f, 0).start()
	if q.Token != "" {
		if bound, err = f.bound(q.Token); err != nil {
			return err
		}
	}
	for left := q.Limit; ; {
		limit := allPage
		if q.Limit > 0 {
			limit = min(limit, left)
		}
		p, next, err := one.page(f, one.walk(ctx, f, unbounded), bound, limit)
		if err != nil {
			return err
		}
		for _, r := range p.Runs {
			if !yield(r, nil) {
				return nil
			}
		}
		if left -= len(p.Runs); next == "" || q.Limit > 0 && left == 0 {
			return nil
		}
		bound = next
	}
}

// Count returns how many runs a query selects. Cost: it walks over all of them, without reading
// their records, but in a view.
func (x Index) Count(ctx context.Context, q Query) (int, error) {
	f, err := newFilter(&q)
	if err != nil {
		return 0, fmt.Errorf("count runs: %w", err)
	}
	n, err := x.count(ctx, f)
	if err != nil {
		return 0, fmt.Errorf("count runs: %w", err)
	}
	return n, nil
}

func (x Index) count(ctx context.Context, f *filter) (int, error) {
	w := x.walk(ctx, f, unbounded)
	s, err := x.streams(f, w)
	if err != nil {
		return 0, err
	}
	defer s.close()
	n, bound := 0, w.start()
	for s.seek(bound) == found {
		if err := ctx.Err(); err != nil {
			return 0, txn.ContextError(err)
		}
		place := s.place()
		there := true
		if x.scope.Lasting() { // entries of runs that were deleted since may be among them
			if _, there, err = x.at(w, f, place); err != nil {
				return 0, err
			}
		}
		if there {
			n++
		}
		bound = w.past(place)
	}
	return n, w.err
}

// Stats counts runs.
type Stats struct {
	// The runs in each status; Interrupted ones are among the Active.
	Active, Interrupted, Paused, Completed, Failed, Cancelled, Archived int

	_ struct{}
}

// Stats counts the runs that a query selects by status, archived ones included, all from one
// version. Cost: as Count, for each status.
func (x Index) Stats(ctx context.Context, q Query) (Stats, error) {
	var s Stats
	one := Index{scope: x.scope.Snapshot(), epoch: x.epoch}
	f, err := newFilter(&q)
	if err != nil {
		return s, fmt.Errorf("count runs: %w", err)
	}
	for _, of := range [...]struct {
		status codec.Status
		n      *int
	}{
		{codec.Active, &s.Active}, {codec.Paused, &s.Paused}, {codec.Completed, &s.Completed},
		{codec.Failed, &s.Failed}, {codec.Cancelled, &s.Cancelled}, {codec.Archived, &s.Archived},
	} {
		one.countInto(ctx, f.of(of.status), of.n, &err)
	}
	past := f.of(codec.Active)
	past.interrupted = true
	one.countInto(ctx, past, &s.Interrupted, &err)
	if err != nil {
		return Stats{}, fmt.Errorf("count runs: %w", err)
	}
	return s, nil
}

// countInto counts unless something failed before.
func (x Index) countInto(ctx context.Context, f filter, n *int, err *error) {
	if *err == nil {
		*n, *err = x.count(ctx, &f)
	}
}
