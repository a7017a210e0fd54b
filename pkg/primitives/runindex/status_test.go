package runindex

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// ways lead a new run to each status.
var ways = map[codec.Status][]codec.Status{
	codec.Active: nil, codec.Paused: {codec.Paused}, codec.Completed: {codec.Completed},
	codec.Failed: {codec.Failed}, codec.Cancelled: {codec.Cancelled},
	codec.Archived: {codec.Completed, codec.Archived},
}

// inStatus begins a run and leads it to a status.
func (w *world) inStatus(status codec.Status) (*backend.Scope, Record) {
	s := w.begin(NewRun{Tags: []string{"kept"}})
	r := w.record(s)
	for _, step := range ways[status] {
		require.NoError(w.t, moves[step](r, w.ctx))
	}
	return s, r
}

// R192, R193, 2.9: all 36 pairs, directly and in a transaction; what is refused changes nothing.
func TestR192StatusTable(t *testing.T) {
	for from := codec.Active; from <= codec.Archived; from++ {
		for to := codec.Active; to <= codec.Archived; to++ {
			for _, form := range []string{"directly", "in a transaction"} {
				t.Run(fmt.Sprintf("%v to %v %s", from, to, form), func(t *testing.T) {
					w := newWorld(t)
					s, r := w.inStatus(from)
					before, err := r.Info(w.ctx)
					require.NoError(t, err)
					require.Equal(t, from, before.Status)
					w.tick(time.Minute)
					err = w.moveIn(form, s, to)
					after, err2 := r.Info(w.ctx)
					require.NoError(t, err2)
					if slices.Contains(table[from], to) {
						require.NoError(t, err)
						checkMoved(t, before, after, to)
					} else {
						requireRefused(t, err, s.Record, from, to)
						require.Equal(t, before, after)
					}
					report, err := w.index().Verify(w.ctx)
					require.NoError(t, err)
					require.True(t, report.Healthy(), "%+v", report)
				})
			}
		}
	}
}

// moveIn changes a status in one of the two forms.
func (w *world) moveIn(form string, s *backend.Scope, to codec.Status) error {
	if form == "directly" {
		return moves[to](w.record(s), w.ctx)
	}
	_, err := w.m.Update(w.ctx, s, txn.Options{}, func(tx *txn.Tx) error {
		return moves[to](NewRecord(tx.Scope(system()), tx.Scope(s), w.epoch), w.ctx)
	})
	return err
}

func checkMoved(t *testing.T, before, after Info, to codec.Status) {
	require.Equal(t, to, after.Status)
	require.Equal(t, before.Updated.Add(time.Minute), after.Updated)
	switch {
	case !before.Ended.IsZero():
		require.Equal(t, before.Ended, after.Ended, "archived later than it ended")
	case to == codec.Active || to == codec.Paused:
		require.True(t, after.Ended.IsZero())
	default:
		require.Equal(t, after.Updated, after.Ended)
	}
	if to == codec.Failed {
		require.Equal(t, "why", after.Error)
	}
	require.Equal(t, before.Tags, after.Tags)
}

func requireRefused(t *testing.T, err error, run string, from, to codec.Status) {
	require.ErrorIs(t, err, txn.ErrInvalidTransition)
	var refused *TransitionError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, TransitionError{Run: run, From: from, To: to}, *refused)
	require.ErrorContains(t, err, fmt.Sprintf("run %s is %v, which does not lead to %v", run,
		from, to))
	hasEnded := from != codec.Active && from != codec.Paused
	require.Equal(t, hasEnded, errors.Is(err, txn.ErrRunNotActive))
	var status *txn.RunStatusError
	require.Equal(t, hasEnded, errors.As(err, &status))
	if hasEnded {
		require.Equal(t, txn.RunStatusError{Record: run, Status: from}, *status)
	}
}

// R202, semantics 5.2: a run that was Active when the process died is listed without a look at any
// other, and Resume takes it up again; whatever else is made of it ends it as usual.
func TestR202Interrupted(t *testing.T) {
	w := newWorld(t)
	old, record := w.inStatus(codec.Active)
	ended, _ := w.inStatus(codec.Completed)
	_, paused := w.inStatus(codec.Paused)
	require.ErrorIs(t, record.Resume(w.ctx), txn.ErrInvalidTransition, "it is at work")
	w.epoch = 5
	record = w.record(old)
	fresh := w.begin(NewRun{})
	found := func(q Query) []string {
		p, err := w.index().Query(w.ctx, q)
		require.NoError(t, err)
		return ids(p.Runs, func(r Info) string { return r.ID })
	}
	require.Equal(t, []string{old.Record}, found(Query{Interrupted: true}))
	require.Empty(t, found(Query{Interrupted: true, Status: []codec.Status{codec.Paused}}))
	i, err := record.Info(w.ctx)
	require.NoError(t, err)
	require.True(t, i.Interrupted)
	require.NoError(t, record.Resume(w.ctx))
	require.Empty(t, found(Query{Interrupted: true}))
	require.ErrorIs(t, record.Resume(w.ctx), txn.ErrInvalidTransition, "once is enough")
	require.ElementsMatch(t, []string{old.Record, fresh.Record},
		found(Query{Status: []codec.Status{codec.Active}}))
	require.NoError(t, NewRecord(paused.index.scope, paused.run, w.epoch).Resume(w.ctx))
	w.epoch = 6
	require.Len(t, found(Query{Interrupted: true}), 3)
	require.NoError(t, w.record(fresh).Fail(w.ctx, "left alone"))
	require.Len(t, found(Query{Interrupted: true}), 2)
	_, err = w.index().Get(w.ctx, ended.Record)
	require.NoError(t, err)
}

// R195: a taken id is refused, also by ended runs, and the first record is untouched.
func TestR195DuplicateID(t *testing.T) {
	w := newWorld(t)
	s, r := w.inStatus(codec.Failed)
	before, err := r.Info(w.ctx)
	require.NoError(t, err)
	id, err := ParseID(s.Record)
	require.NoError(t, err)
	_, err = w.create(NewRun{ID: id, Tenant: "other", Tags: []string{"new"}})
	require.ErrorIs(t, err, ErrRunExists)
	after, err := r.Info(w.ctx)
	require.NoError(t, err)
	require.Equal(t, before, after)
	n, err := w.index().Count(w.ctx, Query{Tenant: "other"})
	require.NoError(t, err)
	require.Zero(t, n)
}

// semantics 5.3: tags and metadata change in every status, and only the record does.
func TestRecordChangesInEveryStatus(t *testing.T) {
	for status := codec.Active; status <= codec.Archived; status++ {
		w := newWorld(t)
		s, r := w.inStatus(status)
		require.NoError(t, r.AddTags(w.ctx, "b", "a", "b"))
		require.NoError(t, r.RemoveTags(w.ctx, "kept", "never"))
		require.NoError(t, r.SetMetadata(w.ctx, codec.String("m")))
		i, err := r.Info(w.ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b"}, i.Tags)
		require.Equal(t, codec.String("m"), i.Metadata)
		require.Equal(t, status, i.Status)
		require.Zero(t, i.Commits, "the record is no part of the run")
		p, err := w.index().Query(w.ctx, Query{Tags: []string{"a"}, IncludeArchived: true})
		require.NoError(t, err)
		require.Len(t, p.Runs, 1)
		require.NoError(t, r.SetTags(w.ctx))
		tags, err := r.Tags(w.ctx)
		require.NoError(t, err)
		require.Empty(t, tags)

		// What changes nothing writes nothing.
		version := w.b.Published()
		require.NoError(t, r.RemoveTags(w.ctx, "a"))
		require.NoError(t, r.SetTags(w.ctx))
		require.NoError(t, r.SetMetadata(w.ctx, codec.String("m")))
		require.Equal(t, version, w.b.Published())
		require.NoError(t, w.delete(s))
		require.ErrorIs(t, r.AddTags(w.ctx, "c"), txn.ErrRunNotFound)
	}
}

// Names and sizes: what no record may hold is refused before anything is written, and names that
// look like something internal are data.
func TestR035Names(t *testing.T) {
	w := newWorld(t)
	s := w.begin(NewRun{})
	r := w.record(s)
	version := w.b.Published()
	long := strings.Repeat("x", MaxName+1)
	many := make([]string, MaxTags+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	big := codec.Bytes(make([]byte, MaxMetadata))
	for _, c := range []struct {
		err error
		is  error
	}{
		{r.AddTags(w.ctx, ""), codec.ErrInvalidArgument},
		{r.AddTags(w.ctx, "\xff"), codec.ErrInvalidArgument},
		{r.SetTags(w.ctx, long), codec.ErrTooLarge},
		{r.SetTags(w.ctx, many...), codec.ErrTooLarge},
		{r.SetMetadata(w.ctx, codec.String("\xff")), codec.ErrInvalidArgument},
		{r.SetMetadata(w.ctx, big), codec.ErrTooLarge},
		{r.Fail(w.ctx, "\xff"), codec.ErrInvalidArgument},
		{r.Fail(w.ctx, strings.Repeat("x", MaxError+1)), codec.ErrTooLarge},
		{second(w.create(NewRun{Tenant: long})), codec.ErrTooLarge},
		{second(w.create(NewRun{App: "\xff"})), codec.ErrInvalidArgument},
		{second(w.create(NewRun{Tags: []string{""}})), codec.ErrInvalidArgument},
		{second(w.create(NewRun{Metadata: big})), codec.ErrTooLarge},
		{second(w.create(NewRun{Parent: [16]byte{7}})), txn.ErrRunNotFound},
		{CheckShared("", "", ""), codec.ErrInvalidArgument},
		{CheckShared("t", "", "a"), codec.ErrInvalidArgument},
		{CheckShared("t", long, ""), codec.ErrTooLarge},
		{second(w.index().Query(w.ctx, Query{Tags: []string{""}})), codec.ErrInvalidArgument},
		{second(w.index().Query(w.ctx, Query{Tenant: long})), codec.ErrTooLarge},
		{second(w.index().Query(w.ctx, Query{Parent: "x"})), codec.ErrInvalidArgument},
		{second(w.index().Query(w.ctx, Query{Limit: -1})), codec.ErrInvalidArgument},
		{second(w.index().Query(w.ctx, Query{Limit: MaxLimit + 1})), codec.ErrInvalidArgument},
		{second(w.index().Count(w.ctx, Query{Status: []codec.Status{7}})), codec.ErrInvalidArgument},
		{second(w.index().Get(w.ctx, "@")), codec.ErrInvalidArgument},
	} {
		require.ErrorIs(t, c.err, c.is)
	}
	require.Equal(t, version, w.b.Published())

	longest := strings.Repeat("\x00", MaxName) // the longest keys that there can be
	names := []string{"__meta__", "\x00", "/", "s/", "@", "layout", longest, "ÿ", "run"}
	for _, name := range names {
		run := w.begin(NewRun{Tenant: name, App: name, Agent: name, Tags: []string{name}})
		for _, q := range []Query{{Tenant: name}, {App: name}, {Agent: name, Tenant: name},
			{Tags: []string{name}}} {
			p, err := w.index().Query(w.ctx, q)
			require.NoError(t, err)
			require.Len(t, p.Runs, 1, "%.10q", name)
			require.Equal(t, run.Record, p.Runs[0].ID)
		}
	}
	report, err := w.index().Verify(w.ctx)
	require.NoError(t, err)
	require.True(t, report.Healthy(), "%+v", report)
}

func second[T any](_ T, err error) error { return err }

// R192: a status changes together with what the transaction writes, or neither does.
func TestR192AtomicWithWrites(t *testing.T) {
	w := newWorld(t)
	s := w.begin(NewRun{})
	cause := errors.New("no")
	for _, fail := range []error{cause, nil} {
		_, err := w.m.Update(w.ctx, s, txn.Options{}, func(tx *txn.Tx) error {
			r := NewRecord(tx.Scope(system()), tx.Scope(s), w.epoch)
			require.NoError(t, r.Complete(w.ctx))
			require.NoError(t, r.AddTags(w.ctx, "done"))
			i, err := r.Info(w.ctx)
			require.NoError(t, err)
			require.Equal(t, codec.Completed, i.Status, "it sees its own change")
			p, err := r.index.Query(w.ctx, Query{Tags: []string{"done"}})
			require.NoError(t, err)
			require.Len(t, p.Runs, 1)
			_, err = tx.Scope(s).Put(w.ctx, codec.KV, "k", null, 0)
			require.NoError(t, err, "the status before the transaction counts")
			return fail
		})
		require.ErrorIs(t, err, fail)
		e, err := w.m.Scope(s).Get(w.ctx, codec.KV, "k")
		require.NoError(t, err)
		require.Equal(t, fail == nil, e.Exists)
		i, err := w.record(s).Info(w.ctx)
		require.NoError(t, err)
		require.Equal(t, fail == nil, i.Status == codec.Completed)
		n, err := w.index().Count(w.ctx, Query{Tags: []string{"done"}})
		require.NoError(t, err)
		require.Equal(t, fail == nil, n == 1)
	}
	_, err := w.m.Scope(s).Put(w.ctx, codec.KV, "k", null, 0)
	require.ErrorIs(t, err, txn.ErrRunNotActive)
}

// Forms that are no run, or take no writes, say so.
func TestRecordOfNothing(t *testing.T) {
	w := newWorld(t)
	s := w.begin(NewRun{})
	shared := &backend.Scope{Number: s.Number, Record: codec.SharedKey("t", "", "")}
	r := w.record(shared)
	err := r.Complete(w.ctx)
	require.Error(t, err)
	require.NoError(t, w.m.View(w.ctx, func(v *txn.View) error {
		r := NewRecord(v.Scope(system()), v.Scope(s), w.epoch)
		_, err := r.Info(w.ctx)
		require.NoError(t, err)
		require.Error(t, r.Complete(w.ctx))
		require.Error(t, r.AddTags(w.ctx, "a"))
		none := NewRecord(v.Scope(system()), v.Scope(nil), w.epoch)
		_, err = none.Info(w.ctx)
		require.ErrorIs(t, err, codec.ErrInvalidArgument)
		require.ErrorContains(t, err, "On")
		return nil
	}))
	var zero Record
	_, err = zero.Info(w.ctx)
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
}

// Many change one record at once: each gets through, and nothing is lost.
func TestHotRecord(t *testing.T) {
	w := newEngineWorld(t, embedded.Options{Mode: embedded.None})
	s := w.begin(NewRun{})
	const many, each = 8, 10
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			for j := range each {
				if err := w.record(s).AddTags(w.ctx, fmt.Sprint(i, "-", j)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	tags, err := w.record(s).Tags(w.ctx)
	require.NoError(t, err)
	require.Len(t, tags, many*each)
	report, err := w.index().Verify(w.ctx)
	require.NoError(t, err)
	require.True(t, report.Healthy())
}

// Runs begin, change, end and go while others look, and while entries move: nobody sees half of
// anything, and what is left is right.
func TestConcurrentLives(t *testing.T) {
	w := newEngineWorld(t, embedded.Options{Mode: embedded.None})
	const many, each = 4, 60
	var workers, lookers sync.WaitGroup
	done := make(chan struct{})
	lookers.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			for _, q := range []Query{{}, {Tags: []string{"a"}}, {IncludeArchived: true, Tenant: "t"},
				{Status: []codec.Status{codec.Active, codec.Paused}, Reverse: true}} {
				for r, err := range w.index().All(w.ctx, q) {
					if err != nil {
						t.Error(err)
					}
					_ = r
				}
			}
			if err := w.sweepBy(5); err != nil && !errors.Is(err, backend.ErrConflict) {
				t.Error(err)
			}
		}
	})
	for i := range many {
		workers.Go(func() {
			for j := range each {
				if err := w.life(i + j); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	close(done)
	lookers.Wait()
	report, err := w.index().Verify(w.ctx)
	require.NoError(t, err)
	require.True(t, report.Healthy(), "%+v", report)
	n, err := w.index().Count(w.ctx, Query{IncludeArchived: true})
	require.NoError(t, err)
	require.Equal(t, many*each*5/6, n, "every sixth was deleted")
}

// life is that of one run.
func (w *world) life(n int) error {
	s, err := w.create(NewRun{Tenant: "t", Tags: []string{"a", fmt.Sprint(n % 3)}})
	if err != nil {
		return err
	}
	r := w.record(s)
	ctx := context.Background()
	steps := [][]func() error{
		{func() error { return r.Complete(ctx) }},
		{func() error { return r.Pause(ctx) }, func() error { return r.Resume(ctx) }},
		{func() error { return r.Pause(ctx) }, func() error { return r.AddTags(ctx, "b") }},
		{func() error { return r.Fail(ctx, "x") }, func() error { return r.Archive(ctx) }},
		{func() error { return r.RemoveTags(ctx, "a") }},
		{func() error { return r.Complete(ctx) }, func() error { return w.delete(s) }},
	}
	for _, step := range steps[n%len(steps)] {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
