package inmem_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// The event log of a scope.

var eventTypes = []string{"a", "a\x00", "ab", "tool", "\U0010ffff"}

// chain is the hash of an event as the documentation has it.
func chain(previous codec.EventDigest, seq uint64, at time.Time, typ string, payload inmem.Value,
) codec.EventDigest {
	encoded, err := codec.AppendValue(nil, payload)
	if err != nil {
		return codec.EventDigest{}
	}
	digest := sha256.Sum256(encoded)
	h := sha256.New()
	for _, field := range [][]byte{
		previous[:], binary.BigEndian.AppendUint64(nil, seq),
		binary.BigEndian.AppendUint64(nil, uint64(at.UnixNano())), []byte(typ), digest[:],
	} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(field))))
		h.Write(field)
	}
	return codec.EventDigest(h.Sum(nil))
}

func (s *mirrorScope) append(now time.Time, typ string, payload inmem.Value) inmem.Event {
	e := inmem.Event{
		Seq: uint64(len(s.events)), Type: typ, Payload: payload, Time: now, Version: pending,
	}
	if n := len(s.events); n > 0 {
		e.Previous = s.events[n-1].Hash
	}
	e.Hash = chain(e.Previous, e.Seq, now, typ, payload)
	s.events = append(s.events, e)
	return e
}

func eventText(e inmem.Event) string {
	return fmt.Sprintf("%d %q %v %s %x %x v%d", e.Seq, e.Type, e.Payload, clockText(e.Time),
		e.Previous[:4], e.Hash[:4], shown(e.Version))
}

// drawEventWrite draws an append of one event or several.
func drawEventWrite(r *rapid.T, at string) deed {
	n := some(r, 1, 1, 1, 3)
	var batch []inmem.NewEvent
	bad := false
	for range n {
		typ := some(r, append(eventTypes, "a", "tool", "")...)
		bad = bad || typ == ""
		batch = append(batch, inmem.NewEvent{Type: typ, Payload: drawValue(r)})
	}
	return inScope(at, fmt.Sprintf("append %.60v", batch), func(h hands) string {
		log := h.place(at).Events()
		if n == 1 {
			a, err := log.Append(h.ctx, batch[0].Type, batch[0].Payload)
			return answer(err, "%d %x%s", a.Seq, a.Hash[:4], h.version(a.Version))
		}
		places, err := log.AppendMany(h.ctx, batch)
		if err != nil {
			return word(err)
		}
		var all []string
		for _, a := range places {
			all = append(all, fmt.Sprintf("%d %x%s", a.Seq, a.Hash[:4], h.version(a.Version)))
		}
		return strings.Join(all, "; ")
	}, func(a *attempt, s *mirrorScope) string {
		if bad {
			return "invalid argument"
		}
		var all []string
		for _, e := range batch {
			e := s.append(a.now, e.Type, e.Payload)
			all = append(all, fmt.Sprintf("%d %x", e.Seq, e.Hash[:4]))
		}
		return strings.Join(all, "; ")
	}).blindly()
}

// listed are the events that a list should show.
func (s *mirrorScope) listed(o inmem.EventOptions) (events []inmem.Event) {
	for _, e := range s.events {
		if e.Seq >= o.Start && (o.End == 0 || e.Seq < o.End) && (o.Type == "" || e.Type == o.Type) &&
			(o.Since.IsZero() || !e.Time.Before(o.Since)) &&
			(o.Until.IsZero() || e.Time.Before(o.Until)) {
			events = append(events, e)
		}
	}
	if o.Reverse {
		slices.Reverse(events)
	}
	if o.Limit > 0 && len(events) > o.Limit {
		events = events[:o.Limit]
	}
	return events
}

// eventReads look at everything in a log.
func eventReads(r *rand.Rand, at string, m *mirror) (all []deed) {
	var size uint64
	middle := m.now
	if s := m.scopes[at]; s != nil && len(s.events) > 0 {
		size = uint64(len(s.events))
		middle = pick(r, s.events...).Time
	}
	for _, o := range []inmem.EventOptions{
		{}, {Reverse: true}, {Since: middle}, {Until: middle, Reverse: true}, {Limit: 2},
		{Since: middle, Until: middle.Add(1)}, {Start: 1, End: 3}, {Start: size}, {Start: 2, End: 2},
		{Reverse: true, Limit: 3, End: size / 2}, {Type: "none"}, {Start: 3, End: 1},
	} {
		all = append(all, listEvents(at, o))
	}
	for _, typ := range eventTypes {
		all = append(all, countType(at, typ), listEvents(at, inmem.EventOptions{Type: typ}),
			listEvents(at, inmem.EventOptions{Type: typ, Reverse: true, Limit: 1, Since: middle}),
			listEvents(at, inmem.EventOptions{Type: typ, Start: 1, End: 4, Until: middle}))
	}
	all = append(all, readEvent(at, 0), readEvent(at, size/2), readEvent(at, size),
		readEnd(at), verifyChain(at))
	for i := range all {
		all[i].own = func(s *mirrorScope) bool {
			return len(s.events) > 0 && s.events[len(s.events)-1].Version == pending
		}
	}
	return all
}

func listEvents(at string, o inmem.EventOptions) deed {
	return inScope(at, fmt.Sprintf("list events %+v", o), func(h hands) string {
		log := h.place(at).Events()
		text := lines(log.List(h.ctx, o), eventText)
		if o.Type == "" && !o.Reverse && o.Limit == 0 && o.End > 0 && o.Since.IsZero() {
			if same := lines(log.Range(h.ctx, o.Start, o.End), eventText); same != text {
				return "range " + same + " list " + text
			}
		}
		return text
	}, func(_ *attempt, s *mirrorScope) string {
		var all []string
		for _, e := range s.listed(o) {
			all = append(all, eventText(e))
		}
		return strings.Join(all, "; ")
	}).inRange()
}

func countType(at, typ string) deed {
	return inScope(at, fmt.Sprintf("count type %q", typ), func(h hands) string {
		n, err := h.place(at).Events().CountType(h.ctx, typ)
		return answer(err, "%d", n)
	}, func(_ *attempt, s *mirrorScope) string {
		return fmt.Sprint(len(s.listed(inmem.EventOptions{Type: typ})))
	}).inRange()
}

func readEvent(at string, seq uint64) deed {
	return inScope(at, fmt.Sprint("event ", seq), func(h hands) string {
		e, ok, err := h.place(at).Events().Get(h.ctx, seq)
		if err != nil || !ok {
			return answer(err, "none")
		}
		return eventText(e)
	}, func(_ *attempt, s *mirrorScope) string {
		if seq >= uint64(len(s.events)) {
			return "none"
		}
		return eventText(s.events[seq])
	})
}

// readEnd asks for the length, the newest event, and the types.
func readEnd(at string) deed {
	return inScope(at, "end of the log", func(h hands) string {
		log := h.place(at).Events()
		n, err := log.Len(h.ctx)
		if err != nil {
			return word(err)
		}
		head, ok, err := log.Head(h.ctx)
		if err != nil {
			return word(err)
		}
		types := lines(log.Types(h.ctx), func(typ string) string { return fmt.Sprintf("%q", typ) })
		return fmt.Sprint(n, ok, eventText(head), types)
	}, func(_ *attempt, s *mirrorScope) string {
		var head inmem.Event
		seen := map[string]bool{}
		var types []string
		for _, head = range s.events {
			if !seen[head.Type] {
				types = append(types, head.Type)
			}
			seen[head.Type] = true
		}
		slices.Sort(types)
		for i := range types {
			types[i] = fmt.Sprintf("%q", types[i])
		}
		return fmt.Sprint(len(s.events), len(s.events) > 0, eventText(head),
			strings.Join(types, "; "))
	}).inRange()
}

func verifyChain(at string) deed {
	return inScope(at, "verify the log", func(h hands) string {
		v, err := h.place(at).Events().Verify(h.ctx)
		return answer(err, "%v %d %x %d %q", v.Valid, v.Length, v.Head[:4], v.FirstBad, v.Reason)
	}, func(_ *attempt, s *mirrorScope) string {
		var head codec.EventDigest
		if n := len(s.events); n > 0 {
			head = s.events[n-1].Hash
		}
		return fmt.Sprintf("true %d %x 0 %q", len(s.events), head[:4], "")
	})
}
