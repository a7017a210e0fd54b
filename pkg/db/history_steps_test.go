package inmem_test

import (
	"fmt"
	"slices"
	"strings"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// direct are hands that commit every write by itself.
func (h *history) direct(a *attempt) hands {
	return hands{
		ctx: h.ctx, attempt: a, runs: h.d.Runs(),
		place: func(name string) place {
			if run := h.runs[name]; run != nil {
				return run
			}
			return h.shared[name]
		},
		record: func(name string) inmem.RunRecord { return h.runs[name].Record() },
		version: func(v uint64) string {
			if now := h.d.Version(); v != now {
				return fmt.Sprintf(" (version %d, published %d)", v, now)
			}
			return ""
		},
	}
}

// inside are hands in a transaction.
func (h *history) inside(tx *inmem.Tx, a *attempt) hands {
	return hands{
		ctx: h.ctx, attempt: a, runs: tx.Runs(),
		place: func(name string) place {
			if run := h.runs[name]; run != nil {
				return tx.On(run)
			}
			return tx.OnShared(h.shared[name])
		},
		record: func(name string) inmem.RunRecord { return tx.On(h.runs[name]).Record() },
		version: func(v uint64) string {
			if v != 0 {
				return fmt.Sprintf(" (version %d inside a transaction)", v)
			}
			return ""
		},
	}
}

// drawScope draws a run or, less often, a shared namespace; empty if there is none.
func (h *history) drawScope() string {
	runs, shared := h.m.names(true), h.m.names(false)
	all := slices.Concat(runs, runs, shared)
	if len(all) == 0 {
		return ""
	}
	if slices.Contains(all, h.at) && odds(h.r, 2) {
		return h.at
	}
	h.at = some(h.r, all...)
	return h.at
}

// drawDeed draws a write, or sometimes a read.
func (h *history) drawDeed(at string) deed {
	h.r.Helper()
	kinds := []string{"key", "key", "event", "cell", "cell", "span", "span", "read"}
	if h.runs[at] != nil {
		kinds = append(kinds, "record")
	}
	var d deed
	switch some(h.r, kinds...) {
	case "key":
		d = drawKeyWrite(h.r, at, h.m)
	case "event":
		d = drawEventWrite(h.r, at)
	case "cell":
		d = drawCellWrite(h.r, at, h.m)
	case "span":
		d = drawSpanWrite(h.r, at, h.m)
	case "record":
		return drawRecordWrite(h.r, at)
	default:
		return some(h.r, append(h.reads(at, h.m), runReads(h.rng, h.m)...)...)
	}
	d.writes = true
	return d
}

// reads are all ways to look at a scope.
func (h *history) reads(at string, m *mirror) (all []deed) {
	for _, space := range spaces {
		all = append(all, keyReads(at, space)...)
	}
	all = append(all, eventReads(h.rng, at, m)...)
	all = append(all, cellReads(at)...)
	all = append(all, spanReads(h.rng, at, m)...)
	if s := m.scopes[at]; s != nil && s.run != nil {
		all = append(all, readRecord(at), lineage(at))
	}
	return all
}

// inactive says that a scope takes no writes.
func (m *mirror) inactive(at string) bool {
	s := m.scopes[at]
	return s != nil && s.run != nil && s.run.Status != inmem.Active
}

// step does one operation directly.
func (h *history) step(d deed) {
	before := h.d.Version()
	a := h.m.begin(true)
	got := d.real(h.direct(a))
	want := d.mirror(a)
	h.tell("%s -> %s", d.text, got)
	why := a.refusals(h.m)
	if d.writes && h.m.inactive(d.at) && (failed(want) || len(why) == 0) {
		why = append(why, want) // it fails, or does nothing, in any case
	}
	if len(why) > 0 {
		want = strings.Join(append(why, "run not active"), "|")
	}
	if !admits(want, got) {
		h.wrong("want: %s", want)
	}
	wrote := len(why) == 0 && (a.records() || len(a.wrote()) > 0)
	h.committed(a, wrote, before)
}

// committed takes over what an attempt wrote, and looks at the version.
func (h *history) committed(a *attempt, wrote bool, before uint64) {
	after := h.d.Version()
	if wrote != (after > before) {
		h.wrong("wrote %v, version %d became %d", wrote, before, after)
	}
	if wrote {
		h.m = a.commit(after)
		h.remember()
	}
}

// play does the operations of a transaction and compares each.
func (h *history) play(tx *inmem.Tx, a *attempt, deeds []deed) (outcomes []string) {
	hs := h.inside(tx, a)
	for _, d := range deeds {
		got := d.real(hs)
		gone := d.at != "" && a.dead[a.base.scopes[d.at].number] > 0
		want := d.mirror(a)
		h.tell("  %s -> %s", d.text, got)
		if !admits(want, got) && !(gone && d.writes) {
			h.wrong("in the transaction, want: %s", want)
		}
		if s, _ := a.scope(d.at); d.own != nil && s != nil && d.own(s) {
			got = "provisional" // what it wrote itself is in no read set
		}
		outcomes = append(outcomes, got)
	}
	return outcomes
}

// transaction does several operations as one, on one scope or several, and ends them somehow.
func (h *history) transaction() {
	at := h.drawScope()
	if at == "" {
		return
	}
	several := odds(h.r, 2)
	var deeds []deed
	for range 1 + evenly(h.r, 6) {
		if several {
			at = h.drawScope()
		}
		deeds = append(deeds, h.drawDeed(at))
	}
	end := some(h.r, "commit", "commit", "commit", "begin", "rollback", "abort",
		"panic")
	var o inmem.TxOptions
	if odds(h.r, 2) {
		o.Isolation = inmem.Serializable
	}
	before := h.d.Version()
	var a *attempt
	fn := func(tx *inmem.Tx) error {
		a = h.m.begin(false)
		h.play(tx, a, deeds)
		switch end {
		case "abort":
			return errAbort
		case "panic":
			panic(errAbort)
		}
		return nil
	}
	h.tell("transaction on several scopes: %v, %s", several, end)
	version, err := h.end(at, several, end, o, fn)
	h.tell("  -> version %d, %s", version, word(err))
	if end == "abort" || end == "panic" || end == "rollback" {
		if word(err) != "abort" || version != 0 {
			h.wrong("it should be aborted")
		}
		h.committed(a, false, before)
		return
	}
	h.judge(a, a, deeds, version, err, before)
}

// end runs fn in a transaction of the drawn kind.
func (h *history) end(at string, several bool, end string, o inmem.TxOptions,
	fn func(*inmem.Tx) error,
) (version uint64, err error) {
	if end == "panic" {
		defer func() { err = recover().(error) }()
	}
	begin, update := h.d.Begin, h.d.UpdateWith
	if run := h.runs[at]; run != nil && !several {
		begin, update = run.Begin, run.UpdateWith
	} else if !several {
		begin, update = h.shared[at].Begin, h.shared[at].UpdateWith
	}
	if end != "begin" && end != "rollback" {
		return update(h.ctx, o, fn)
	}
	tx, err := begin(h.ctx, o)
	h.must(err)
	h.must(fn(tx))
	if end == "rollback" {
		h.must(tx.Rollback())
		return 0, errAbort
	}
	return tx.Commit(h.ctx)
}

// judge compares the end of a transaction with what the mirror says. The attempt a is what it did,
// b what it does on the state that is committed now.
func (h *history) judge(a, b *attempt, deeds []deed, version uint64, err error, before uint64) {
	why := b.refusals(h.m)
	wrote := len(b.wrote()) > 0 || b.records()
	if err != nil {
		for _, d := range deeds {
			if d.writes && h.m.inactive(d.at) { // a write without effect may be refused, too
				why = append(why, "run not active")
			}
		}
		if !admits(strings.Join(why, "|"), word(err)) {
			h.wrong("the commit fails with %v, may fail with %q", err, why)
		}
		if version != 0 {
			h.wrong("it fails with version %d", version)
		}
		h.committed(b, false, before)
		return
	}
	if len(why) > 0 {
		h.wrong("the commit must fail: %q", why)
	}
	if !wrote && b.touched {
		wrote = version > 0 // a record that was changed there and back
	}
	if wrote && version != h.d.Version() || !wrote && version != 0 {
		h.wrong("version %d, published %d, wrote %v", version, h.d.Version(), wrote)
	}
	h.committed(b, wrote, before)
}
