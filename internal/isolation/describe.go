package isolation

import (
	"fmt"
	"slices"
	"strings"
)

// link is a step between two transactions, with the helpers in between left out.
type link struct {
	from, to int
	edge     *edge // the last of it
	early    bool  // it begins at the snapshot of from, not at its commit
}

// links makes steps between transactions of steps between nodes. cycle may begin anywhere.
func (g *graph) links(cycle []step) (links []link) {
	first := slices.IndexFunc(cycle, func(s step) bool {
		_, ok := g.transaction(s.from)
		return ok
	})
	if first < 0 {
		return nil
	}
	from, _ := g.transaction(cycle[first].from)
	for i := range cycle {
		e := cycle[(first+i)%len(cycle)].edge
		to, ok := g.transaction(int(e.to))
		if !ok || e.kind == inner {
			continue
		}
		n := len(links)
		if n > 0 && e.kind >= moment && links[n-1].edge.kind == e.kind {
			links[n-1].to = to // one link for a walk along a chain
		} else {
			source := cycle[(first+i)%len(cycle)].from
			links = append(links, link{from: from, to: to, edge: e, early: source == snapshotOf(from)})
		}
		from = to
	}
	return links
}

// describe classifies a cycle and tells it in words.
func (g *graph) describe(cycle []step) Anomaly {
	links := g.links(cycle)
	a := Anomaly{Class: classify(links)}
	lines := make([]string, 0, len(links))
	for _, l := range links {
		a.ByTime = a.ByTime || l.edge.kind == moment
		a.ByVersion = a.ByVersion || l.edge.kind == version
		a.Txns = append(a.Txns, l.from)
		lines = append(lines, "  "+g.sentence(l))
	}
	a.Text = strings.Join(lines, "\n")
	return a
}

// classify names a cycle by its edges.
func classify(links []link) Class {
	var n [kinds]int
	phantom, early := false, false
	for _, l := range links {
		n[l.edge.kind]++
		phantom = phantom || l.edge.phantom
		early = early || l.edge.phantom && l.early
	}
	switch {
	case len(links) == 2 && n[rw] > 0 && n[rw]+n[ww] == 2 &&
		links[0].edge.x == links[1].edge.x && !phantom:
		return LostUpdate
	case n[rw] == 1 && (!phantom || early):
		return GSingle
	case n[rw] > 0 && phantom:
		return G2
	case n[rw] > 0:
		return G2Item
	case n[wr] > 0:
		return G1c
	case n[ww] > 0:
		return G0
	}
	return Order
}

func (g *graph) sentence(l link) string {
	from, to := nameOf(g.h, l.from, g.versions[l.from]), nameOf(g.h, l.to, g.versions[l.to])
	e := l.edge
	switch e.kind {
	case ww:
		return fmt.Sprintf("ww    %s wrote %s (then %s) before %s did",
			from, e.x.key, e.x.shown(e.at), to)
	case wr:
		return fmt.Sprintf("wr    %s wrote %s, and %s read it as %s", from, e.x.key, to, e.x.shown(e.at))
	case rw:
		how := "read"
		if e.phantom {
			how = "scanned over"
		}
		return fmt.Sprintf("rw    %s %s %s as %s, before %s wrote it",
			from, how, e.x.key, e.x.shown(e.at), to)
	case moment:
		return fmt.Sprintf("time  %s had ended when %s began", from, to)
	}
	return fmt.Sprintf("order %s has a lower version than %s", from, to)
}
