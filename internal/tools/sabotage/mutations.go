package main

// The suites that stand for many rows.
const (
	isolation   = "./pkg/db/isolationtest"
	engine      = "./internal/embedded"
	conformance = "TestConformance/(batched|strict)/"
)

// mutations is the table: the six that the promises rest on most, then more. Texts are short, and
// each is on one line, so that they survive changes around them.
var mutations = []mutation{
	{
		name: "read validation", off: "a commit does not look whether what it read has changed",
		file: "internal/embedded/check.go",
		edits: []edit{{"if stamp, changed := p.changed(i, r); changed {",
			"if stamp, changed := p.changed(i, r); changed && p == nil {"}},
		suites: []suite{{isolation, "TestIsolation/none"}, {engine, conformance + "Conflict"}},
	},
	{
		name: "range validation", off: "Serializable does not look at ranges",
		file:  "internal/embedded/check.go",
		edits: []edit{{"failed = p.ranges[i].check(p, failed)", "_ = i"}},
		suites: []suite{{isolation, "TestIsolation/none/serializable"},
			{engine, conformance + "Serializable"}},
	},
	{
		name: "publication order", off: "a version is published before its commit can be read",
		file:   "internal/embedded/commit.go",
		edits:  []edit{{"p.stamp(version, now)", "p.stamp(version, now); d.published.raise(version)"}},
		suites: []suite{{engine, "TestPublishedIsReadable"}},
	},
	{
		name: "guard", off: "Open does not look at the files before Pebble does",
		file:   "internal/embedded/open.go",
		edits:  []edit{{"return s, checkFiles(d.opts.FS, d.opts.Dir, s)", "return s, nil"}},
		suites: []suite{{engine, "TestDamageManifestCutAtEveryByte|TestDamageMatrix"}},
	},
	{
		name: "durable before visible", off: "Strict publishes before the sync",
		file:   "internal/embedded/commit.go",
		edits:  []edit{{"if d.opts.Mode != Strict {", "if d.opts.Mode != 0 || d != nil {"}},
		suites: []suite{{engine, "TestStrictCommitIsSeen"}},
	},
	{
		name: "tombstones", off: "memory does not learn of deletes",
		file: "internal/embedded/check.go",
		edits: []edit{{"r = memtable.Record{Version: p.version, Stamp: p.version, Deleted: true}",
			"return"}},
		suites: []suite{{isolation, "TestIsolation/none"}, {engine, conformance + "(Writes|Reads)"}},
	},

	{
		name: "compare-and-set", off: "conditions always hold",
		file:   "internal/embedded/check.go",
		edits:  []edit{{"if found.Stamp != c.Expected {", "if p == nil {"}},
		suites: []suite{{isolation, "TestIsolation/none"}, {engine, conformance + "CAS"}},
	},
	{
		name: "snapshot of reads", off: "transactions read what is newest",
		file: "pkg/txn/tx.go",
		edits: []edit{{"r, err := t.m.b.Get(ctx, s, p, key, t.snapshot)",
			"r, err := t.m.b.Get(ctx, s, p, key, t.m.b.Published())"}},
		suites: []suite{{isolation, "TestIsolation/none"}},
	},
	{
		name: "own writes", off: "transactions do not read what they wrote",
		file: "pkg/txn/tx.go",
		edits: []edit{{"if w := t.writes.find(writeKey{s.Number, p, key}); w != nil {",
			"if w := t.writes.find(writeKey{s.Number, p, key}); w != nil && t == nil {"}},
		suites: []suite{{isolation, "TestIsolation/none"}, {"./pkg/txn", "TestR165|TestE51|TestBeneath"}},
	},
	{
		name: "event sequence", off: "an event leaves a gap behind it",
		file: "internal/embedded/appends.go",
		edits: []edit{{"s.events = eventHead{next: s.events.next + 1,",
			"s.events = eventHead{next: s.events.next + 2,"}},
		suites: []suite{{isolation, "TestIsolation/none"},
			{"./pkg/primitives/eventlog", "TestR164ConcurrentAppends"}},
	},
	{
		name: "hash chain", off: "Verify does not compare an event with the one before",
		file:   "pkg/primitives/eventlog/verify.go",
		edits:  []edit{{"if r.Previous != k.hash {", "if k == nil {"}},
		suites: []suite{{"./pkg/primitives/eventlog", "TestR162"}},
	},
	{
		name: "fork version", off: "forks show what their parents write later",
		file: "internal/embedded/lineage.go",
		edits: []edit{{"s, at = l.parent, min(at, l.fork)", "s = l.parent"},
			{"		at = min(at, l.fork)\n", ""}},
		suites: []suite{{isolation, "TestIsolation/none"}, {engine, conformance + "Fork"}},
	},
	{
		name: "horizon of retention", off: "what was removed reads as absent",
		file: "internal/embedded/retain.go",
		edits: []edit{{"if earliest := h.list.Of(p); at < earliest {",
			"if earliest := h.list.Of(p); h == nil {"}},
		suites: []suite{{engine, conformance + "Retention"}},
	},
	{
		name: "status of runs", off: "runs that have ended take writes",
		file: "internal/embedded/origin.go",
		edits: []edit{{"open := s.state.status == codec.Active && !s.state.importing",
			"open := (s.state.status == codec.Active || p != nil) && !s.state.importing"}},
		suites: []suite{{engine, conformance + "Scope"}},
	},
	{
		name: "sync", off: "what is answered as durable was not synced",
		file:   "internal/embedded/sync.go",
		edits:  []edit{{"d.store.LogData(nil, pebble.Sync)", "d.store.LogData(nil, pebble.NoSync)"}},
		suites: []suite{{engine, "TestCrashAtEveryStep"}},
	},
	{
		name: "proof of durability", off: "Open takes a log that ends before what was durable",
		file:   "internal/embedded/open.go",
		edits:  []edit{{"case last < s.Durable:", "case last < s.Durable && d == nil:"}},
		suites: []suite{{engine, "TestDamageLog|TestDamageMatrix"}},
	},
	{
		name: "holes in the order", off: "Open takes commits among which one is missing",
		file: "internal/embedded/open.go",
		edits: []edit{{"if !begins && rec.Previous != d.order.commit {",
			"if !begins && d == nil {"}},
		suites: []suite{{engine, "TestDamageHoleInTheOrder"}},
	},
	{
		name: "commits that last", off: "what deleted runs committed goes whatever the deadlines",
		file: "internal/embedded/thin.go",
		edits: []edit{{"if !behind && whole && !left && f.time >= f.deadline {",
			"if !behind && whole && !left {"}},
		suites: []suite{{engine, "TestThinning"}},
	},
	{
		name: "ceiling of versions", off: "versions that were lost are given out again",
		file:   "internal/embedded/open.go",
		edits:  []edit{{"d.order.version = max(last, s.Versions)", "d.order.version = last"}},
		suites: []suite{{engine, "TestReopenAfterKillSkipsReservedNumbers"}},
	},
	{
		name: "queue stays in memory", off: "memory forgets what Pebble does not have yet",
		file: "internal/embedded/spill.go",
		edits: []edit{{"return min(d.pins.horizon(), d.handover.handed.load())",
			"return d.pins.horizon()"}},
		suites: []suite{{engine, "TestQueuedCommits|TestQueueUnderChaos"}},
	},
	{
		name: "pins", off: "memory forgets what open transactions are validated by",
		file: "internal/embedded/spill.go",
		edits: []edit{{"return min(d.pins.horizon(), d.handover.handed.load())",
			"return d.handover.handed.load()"}},
		suites: []suite{{engine, "TestConformance/spilling/Conflict"}},
	},
	{
		name: "stamp of expiries", off: "the sweep of an expired key counts as a write",
		file: "internal/embedded/check.go",
		edits: []edit{{"Version: p.version, Stamp: w.Stamp, Deleted: true",
			"Version: p.version, Stamp: p.version, Deleted: true"}},
		suites: []suite{{engine, conformance + "Expiry"}},
	},
	{
		name: "checksum of graphs", off: "damaged files of indexes are believed",
		file: "pkg/vector/blocks.go",
		edits: []edit{{"if want := binary.LittleEndian.Uint32(head[8:]); sum != want {",
			"if want := binary.LittleEndian.Uint32(head[8:]); sum != want && b == nil {"}},
		suites: []suite{{"./pkg/vector", "TestSnapshotDamage"}},
	},
	{
		name: "versions of vectors", off: "searches show rows that were deleted or not yet there",
		file:   "pkg/vector/slots.go",
		edits:  []edit{{"return c.born[row] <= at && at < c.died[row].Load()", "return true"}},
		suites: []suite{{"./internal/vecindex", "TestHistories|TestR300"}},
	},
}
