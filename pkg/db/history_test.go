package inmem_test

import (
	"flag"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// checks runs a random test so many times, or as often as -rapid.checks says.
func checks(t *testing.T, short, long int, test func(*rapid.T)) {
	t.Helper()
	f := flag.Lookup("rapid.checks")
	if given := f.Value.String(); given == f.DefValue {
		n := long
		if testing.Short() {
			n = 5 * short // rapid divides by five
		}
		require.NoError(t, f.Value.Set(strconv.Itoa(n)))
		defer func() { require.NoError(t, f.Value.Set(given)) }()
	}
	rapid.Check(t, test)
}

// authorities are those that histories play on.
var authorities = []struct {
	name string
	make func(testing.TB, *testClock) *authority
}{{"model", modelAuthority}, {"embedded", embeddedAuthority}}

// Random histories over all primitives, on runs and shared namespaces, directly and in transactions
// over one or several of them, with sweeps, deletions, reopening, crashes and views of old
// versions: everything that can be read is what a few maps and slices say.
func TestHistories(t *testing.T) {
	for _, a := range authorities {
		t.Run(a.name, func(t *testing.T) {
			checks(t, 5, 25, func(r *rapid.T) {
				h := newHistory(t, r, a.make)
				defer h.close()
				h.share()
				h.beginRun()
				for range 20 + evenly(r, 100) {
					h.act()
				}
				h.compare("at the end", h.direct(nil), h.m)
				h.healthy()
				h.reopen(lossless)
				h.compare("after the end", h.direct(nil), h.m)
				h.tour()
			})
		})
	}
}

// act does one thing.
func (h *history) act() {
	acts := []string{"tick", "tick", "begin", "fork", "youth", "delete", "flatten", "share",
		"compare", "view", "look", "travel",
		"sweep", "rare"}
	for range 3 {
		acts = append(acts, "direct", "direct", "direct", "direct", "transaction", "transaction",
			"interleaved", "interleaved")
	}
	switch some(h.r, acts...) {
	case "direct":
		if at := h.drawScope(); at != "" {
			h.step(h.drawDeed(at))
		}
	case "transaction":
		h.transaction()
	case "interleaved":
		h.interleaved()
	case "tick":
		h.tick()
	case "begin":
		h.beginRun()
	case "fork":
		h.forkRun()
	case "youth":
		h.youth()
	case "delete":
		h.deleteRun()
	case "flatten":
		h.deleteFlattening()
	case "share":
		h.share()
	case "view":
		h.hold()
	case "look":
		h.look()
	case "travel":
		h.travel()
	case "sweep":
		h.sweep()
	case "compare":
		h.compare("now", h.direct(nil), h.m)
	default:
		h.rarely()
	}
}

// rarely does what costs much, or changes much.
func (h *history) rarely() {
	switch some(h.r, "reopen", "crash", "flush", "tenant", "corpses", "healthy") {
	case "reopen":
		h.reopen(lossless)
	case "crash":
		if h.a.crashes {
			h.reopen(some(h.r, 0, 50, 100))
		}
	case "flush":
		h.must(h.d.Flush(h.ctx))
	case "tenant":
		h.deleteTenant()
	case "corpses":
		h.corpses()
	default:
		h.healthy()
	}
}

// interleaved runs a transaction while direct operations commit beside it. If it commits, then
// everything that it saw must be so on the state at its commit, too; unless it is Serializable,
// that does not hold for ranges.
func (h *history) interleaved() {
	at := h.drawScope()
	if at == "" {
		return
	}
	o := inmem.TxOptions{}
	if odds(h.r, 2) {
		o.Isolation = inmem.Serializable
	}
	tx, err := h.d.Begin(h.ctx, o)
	h.must(err)
	h.tell("a transaction begins, isolation %v", o.Isolation)
	a := h.m.begin(false)
	var deeds []deed
	var saw []string
	some := func(n int) {
		for range 1 + evenly(h.r, n) {
			if odds(h.r, 4) {
				at = h.drawScope()
			}
			d := h.drawDeed(at)
			saw = append(saw, h.play(tx, a, []deed{d})...)
			deeds = append(deeds, d)
		}
	}
	some(3)
	for range 1 + evenly(h.r, 3) {
		if odds(h.r, 10) {
			h.sweep()
		} else if odds(h.r, 3) && !deeds[0].once {
			h.step(deeds[0])
		} else {
			h.step(h.drawDeed(h.drawScope()))
		}
	}
	some(3)
	h.settle(tx, o, a, deeds, saw)
}

// settle commits an interleaved transaction.
func (h *history) settle(
	tx *inmem.Tx, o inmem.TxOptions, a *attempt, deeds []deed, saw []string,
) {
	before := h.d.Version()
	readOnly := !a.touched
	b := h.m.begin(false)
	moved, blind := "", true
	for i, d := range deeds {
		if saw[i] == "skipped" {
			continue
		}
		blind = blind && d.blind && (d.unless == nil || !d.unless(a.base) && !d.unless(h.m))
		readOnly = readOnly && (!d.writes || failed(saw[i]))
		if saw[i] == "provisional" || d.parent && saw[i] == "not found" {
			continue // that a parent is missing is not in the read set
		}
		if want := d.mirror(b); !admits(want, saw[i]) && !d.provisional &&
			(!d.ranged || o.Isolation == inmem.Serializable) {
			moved = d.text + ": " + want
		}
	}
	version, err := tx.Commit(h.ctx)
	h.tell("  the transaction commits -> version %d, %s; it would now see %q", version, word(err),
		moved)
	switch {
	case readOnly && err == nil && version == 0: // such ones always commit
		h.committed(b, false, before)
	case err == nil && moved != "" && version > 0:
		h.wrong("it saw what is not so any more")
	case word(err) == "conflict" || word(err) == lostCAS:
		if blind || readOnly {
			h.wrong("it read nothing, or wrote nothing")
		}
		h.committed(b, false, before)
	default:
		h.judge(b, b, deeds, version, err, before)
	}
}
