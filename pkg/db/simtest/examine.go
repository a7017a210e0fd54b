package simtest

import (
	"fmt"
	"slices"
	"strings"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// examine holds all that can be read against the model, now and at some versions of the past, and
// has the database verify itself.
func (e *episode) examine(when string) {
	if e.failure != nil {
		return
	}
	e.compare(when, 0)
	for i := range 3 {
		if n := len(e.versions); n > 0 {
			e.compare(when, e.versions[(2*i+1)*n/6])
		}
	}
	e.verify(when)
}

// verify has the database look over everything that it stores.
func (e *episode) verify(when string) {
	report, err := e.real.db.Verify(e.ctx, inmem.VerifyOptions{})
	if err != nil {
		if !(e.disk.hasFired() && troubled(word(err))) {
			e.wrong("%s: verify: %v", when, err)
		}
		return
	}
	e.count.Verified++
	if !report.Sound() && !e.disk.hasFired() {
		var all []string
		for _, p := range report.Problems {
			all = append(all, p.String())
		}
		e.wrong("%s: verify finds %d problems: %s", when, report.Found, strings.Join(all, "; "))
	}
}

// compare holds everything at a version against the model; 0 is now.
func (e *episode) compare(when string, version uint64) {
	if e.failure != nil {
		return
	}
	got := e.dump(e.real, version)
	if e.disk.hasFired() && slices.ContainsFunc(got, troubled) {
		return
	}
	want := e.dump(e.model, version)
	e.count.Compared++
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			e.wrong("%s, version %d:\n  shows       %s\n  should show %s", when, version, g, w)
			return
		}
	}
}

// dump is everything that a side shows at a version, line by line; 0 is now.
func (e *episode) dump(s *side, version uint64) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	show := func(v *inmem.View) error {
		add("view of %d at %s", v.Version(), clock(v.Time()))
		for i, err := range v.Runs().All(e.ctx, inmem.RunQuery{IncludeArchived: true}) {
			add("%s %s", infoText(i), word(err))
		}
		for _, id := range e.runs {
			info, err := v.On(s.runs[id]).Record().Info(e.ctx)
			add("%s", answer(err, "%s commits %d to %d: %d", infoText(info), info.FirstVersion,
				info.LastVersion, info.Commits))
			e.show(add, id, v.On(s.runs[id]))
		}
		for _, n := range e.there() {
			e.show(add, n.String(), v.OnShared(s.shared[n.String()]))
		}
		for _, id := range e.gone {
			if run := s.runs[id]; run != nil && !slices.Contains(e.runs, id) {
				_, _, err := v.On(run).KV().Get(e.ctx, "a")
				add("deleted %s: %s", id, word(err))
			}
		}
		return nil
	}
	if version == 0 {
		add("%s", word(s.db.View(e.ctx, show)))
	} else if v, err := s.db.At(e.ctx, version); err != nil {
		add("%s", word(err))
	} else {
		_ = show(v)
		add("%s", word(v.Close()))
	}
	if version == 0 {
		version = s.db.Version()
	}
	for _, id := range e.runs {
		h, err := s.runs[id].StateHash(e.ctx, version)
		add("state of %s: %v %s", id, h, word(err))
	}
	return all
}

// show lists what a place holds.
func (e *episode) show(add func(string, ...any), name string, p place) {
	for _, in := range []string{"", "queue", "\x00"} {
		k := space(p, in)
		for x, err := range k.Scan(e.ctx, inmem.ScanOptions{}) {
			if err != nil {
				add("%s keys %q: %s", name, in, word(err))
				break
			}
			entry, err := k.GetVersioned(e.ctx, x.Key)
			add("%s key %q %q: %v %d %s %s", name, in, x.Key, x.Value, entry.Version,
				clock(entry.Expires), word(err))
		}
	}
	add("%s events: %s", name, lines(p.Events().List(e.ctx, inmem.EventOptions{}), eventText))
	for cell, err := range p.Cells().List(e.ctx, "") {
		add("%s cell %q: %s", name, cell, word(err))
		if err != nil {
			break
		}
		add("%s", cellText(e.ctx, p.Cell(cell)))
	}
	add("%s spans: %s", name, lines(p.Traces().List(e.ctx, inmem.SpanFilter{}), spanText))
	for c, err := range p.Collections().List(e.ctx) {
		add("%s vectors %q: %s", name, c, word(err))
		if err != nil {
			break
		}
		add("%s", rowsText(e.ctx, p.Vectors(c)))
	}
}

func infoText(i inmem.RunInfo) string {
	return fmt.Sprint(i.ID, i.Tenant, i.App, i.Agent, i.Parent, i.ForkVersion, i.Status,
		i.Interrupted, clock(i.Created), clock(i.Updated), clock(i.Ended), i.Tags, i.Metadata, i.Error)
}
