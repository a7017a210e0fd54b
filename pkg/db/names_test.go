package inmem_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// hostileNames are what somebody might try in order to reach what is not his.
func hostileNames(ids ...string) []string {
	internal := func(s codec.Scope, p codec.Primitive, user string) string {
		key, _ := codec.AppendKey(nil, s, p, user)
		return string(key)
	}
	names := []string{
		"__meta__", "__idx_by_type", "_strata/", "_shared", "\x00", "\x00\x01", "\x00\xff", "/", "..",
		"a\x00b", "a\x00", "\xff", "\xff\xff\xff\xff\xff\xff\xff\xff", "\xc3\x28", "@", "@x", "@acme", "",
		" ", "\n", "%s", "é", "\U0010ffff", "\xef\xbf\xbe", "KV", "k", "000000000000", "r/0000000001/k/",
		"kv", "s", codec.SharedKey("acme", "", ""), codec.SharedKey("acme", "app", "agent"),
		codec.EventTypeKey("t", 0), codec.EventUserKey(0), codec.GraveUserKey(1),
		codec.FormatKey(1, codec.KV, "a"), codec.ExpiryUserKey(1, 1, codec.KV, "a"),
		string(codec.Tuple(nil).AppendString("tag").AppendString("t")),
		string(codec.Tuple(nil).AppendBool(false).AppendString("tag")),
		strings.Repeat("n", 1<<10), strings.Repeat("n", 1<<10+1), strings.Repeat("\x00", 1<<10),
		strings.Repeat("\xff", 4<<10), strings.Repeat("n", 8<<10-3), strings.Repeat("\x00", 8<<10),
		strings.Repeat("n", 8<<10+1),
	}
	for scope := range codec.Scope(4) {
		for _, p := range []codec.Primitive{codec.KV, codec.Events, codec.Cells, codec.Machines,
			codec.Traces, codec.ScopeRecords} {
			names = append(names, internal(scope, p, "a"), internal(scope, p.Index(), "a"))
		}
	}
	for _, id := range ids {
		names = append(names, id, strings.ToUpper(id), "@"+id, internal(0, codec.ScopeRecords, id))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// A rule says which error a name gets; nil if it is data.
type rule func(name string) error

// anyBytes admits all bytes up to a size.
func anyBytes(size int) rule {
	return func(name string) error {
		if len(name) > size {
			return inmem.ErrTooLarge
		}
		return nil
	}
}

// text admits UTF-8 up to a size.
func utf8Text(size int) rule {
	return func(name string) error {
		switch {
		case !utf8.ValidString(name) && len(name) > size:
			return errors.Join(inmem.ErrInvalidArgument, inmem.ErrTooLarge)
		case !utf8.ValidString(name):
			return inmem.ErrInvalidArgument
		}
		return anyBytes(size)(name)
	}
}

// filled refuses the empty name, too.
func filled(r rule) rule {
	return func(name string) error {
		if name == "" {
			return inmem.ErrInvalidArgument
		}
		return r(name)
	}
}

// trial is one place where a name can go.
type trial struct {
	what string
	rule rule
	// do uses the name in a run, or in a transaction on it.
	do func(x *names, name string) error
	// own are the lines of a dump that may change then.
	own func(x *names, name string) []string
	// back looks whether the name is there, and nothing else where it might be seen.
	back func(x *names, name string)
	// onRecord: it is about the record of the run.
	onRecord bool
}

// names is the world of one engine: the run that is written to, and bystanders.
type names struct {
	*world
	target *inmem.Run
	place  place
	record inmem.RunRecord
	others map[string]place
	// spans and events are what the trials have added to the target.
	spans  []string
	events []uint64
	wrote  int
}

// common are the names under which there is something everywhere before the trials.
var common = []string{"a", "__meta__", "\x00", "\x00\x01", "/", "\U0010ffff", "@", "t", "", "\xff"}

// fill puts something under the common names into a place.
func (x *names) fill(p place) {
	x.t.Helper()
	x.place = p
	for _, name := range common {
		for _, try := range trials() {
			if try.rule(name) == nil && !try.onRecord {
				require.NoError(x.t, try.do(x, name), "%s %q", try.what, name)
			}
		}
	}
}

// newNames fills a run and a shared namespace.
func newNames(t *testing.T, e engine) *names {
	x := &names{world: newWorld(t, e, nil), others: map[string]place{}}
	beside, err := x.BeginRun(x.ctx(), inmem.RunOptions{ID: someID, Tenant: "acme",
		Tags: []string{"t", "\x00", "__meta__"}, Metadata: inmem.Int(1), Parent: x.run.ID()})
	require.NoError(t, err)
	shared, err := x.Shared(x.ctx(), inmem.Namespace{Tenant: "acme"})
	require.NoError(t, err)
	x.others["shared"] = shared
	x.fill(beside)
	x.fill(shared)
	return x
}

// R035, R198: whatever a name is, it is data or refused: it reaches nothing but what it names.
func TestR035HostileNames(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		x := newNames(t, e)
		before := x.dump()
		for i, name := range hostileNames(someID, x.run.ID()) {
			if !testing.Short() || i%3 == 0 {
				x.try(name)
				require.Empty(t, before.differences(x.dump()), "%.60q outlives its run", name)
			}
		}
		require.Greater(t, x.wrote, 500)
	})
}

// try uses a name everywhere in a new run: directly, then in one transaction.
func (x *names) try(name string) {
	x.t.Helper()
	var err error
	x.target, err = x.BeginRun(x.ctx(), inmem.RunOptions{Tenant: "acme", Metadata: inmem.Int(1)})
	require.NoError(x.t, err)
	x.fill(x.target)
	before := x.dump()
	x.spans, x.events = nil, nil
	x.place, x.record = x.target, x.target.Record()
	own := []string{x.target.ID() + " commits"}
	for _, try := range trials() {
		version := x.Version()
		if x.attempt(try, name) {
			own = append(own, try.own(x, name)...)
		} else {
			require.Equal(x.t, version, x.Version(), "%s %.60q is refused, and writes", try.what, name)
		}
	}
	after := x.dump()
	require.Empty(x.t, before.differences(after, own...), "%.60q changes something else", name)
	_, err = x.target.Update(x.ctx(), func(tx *inmem.Tx) error {
		x.place, x.record = tx, tx.Record()
		for _, try := range trials() {
			if x.attempt(try, name) {
				own = append(own, try.own(x, name)...)
			}
		}
		return nil
	})
	require.NoError(x.t, err)
	require.Empty(x.t, after.differences(x.dump(), own...), "%.60q changes something else", name)
	requireHealthy(x.t.(*testing.T), x.target)
	require.NoError(x.t, x.DeleteRun(x.ctx(), x.target.ID()))
}

// attempt makes one trial, and says whether it wrote something.
func (x *names) attempt(try trial, name string) bool {
	x.t.Helper()
	err := try.do(x, name)
	x.judge(try, name, err)
	if err == nil && try.back != nil {
		try.back(x, name)
	}
	return err == nil
}

func (x *names) dump() dump {
	x.t.Helper()
	return dumpOf(x.t, x.DB, common, x.others)
}

// judge compares the outcome with the rule.
func (x *names) judge(try trial, name string, err error) {
	x.t.Helper()
	want := try.rule(name)
	if want == nil {
		require.NoError(x.t, err, "%s %.60q", try.what, name)
		x.wrote++
		return
	}
	require.Error(x.t, err, "%s %.60q", try.what, name)
	for _, one := range []error{inmem.ErrInvalidArgument, inmem.ErrTooLarge, inmem.ErrRunNotFound} {
		if errors.Is(want, one) && errors.Is(err, one) {
			return
		}
	}
	require.Fail(x.t, "another error", "%s %.60q: %v, want %v", try.what, name, err, want)
}

// of is a line of a dump about the target.
func (x *names) of(format string, args ...any) string {
	return x.target.ID() + " " + fmt.Sprintf(format, args...)
}
