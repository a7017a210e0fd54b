package vecindex

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// defaultBudget is what all indexes may take together, in bytes.
const defaultBudget = 1 << 30

// Options configure a Manager. Zero fields are defaults.
type Options struct {
	// Budget is how many bytes all indexes may take; 1 GiB. Beyond it indexes leave the float32
	// vectors to the rows, those that were not searched for longest first; and then these are
	// dropped, all but the one in use.
	Budget int64

	leastFile int // slots that are worth a file (tests); 0: the default

	_ struct{}
}

// Manager keeps the indexes of one database. All methods are safe for concurrent use.
type Manager struct {
	b      backend.Backend
	budget int64
	least  int // Options.leastFile
	system *backend.Scope
	clock  atomic.Uint64 // searches, to tell what was used last

	ctx    context.Context // of the worker
	cancel context.CancelFunc
	grown  atomic.Int64 // bytes by which indexes grew since they were counted

	mu       sync.Mutex
	working  chan struct{}                // guarded by mu: closed when the worker ends, nil without
	closed   bool                         // guarded by mu
	indexes  map[indexKey]*index          // guarded by mu
	lineages map[codec.Scope]*scopeOrigin // guarded by mu
	asked    map[indexKey]bool            // guarded by mu: see wanted
}

// New returns a Manager of a database. It must be closed before the database is.
func New(b backend.Backend, o Options) *Manager {
	if o.Budget <= 0 {
		o.Budget = defaultBudget
	}
	if o.leastFile <= 0 {
		o.leastFile = leastFileSlots
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Manager{
		ctx: ctx, cancel: cancel,
		b: b, budget: o.Budget, least: o.leastFile, system: &backend.Scope{Number: codec.SystemScope},
		indexes: map[indexKey]*index{}, lineages: map[codec.Scope]*scopeOrigin{},
		asked: map[indexKey]bool{},
	}
}

// Close ends the background work, writes the files of what has changed and gives all memory back.
// Searches under way may end with backend.ErrClosed, later ones do. A second Close does nothing.
func (m *Manager) Close() error {
	m.cancel()
	m.mu.Lock()
	working, again := m.working, m.closed
	m.closed = true
	m.mu.Unlock()
	if again {
		return nil
	}
	if working != nil {
		<-working
	}
	m.saveAll(context.Background()) // nobody changes the table any more
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.indexes)
	clear(m.lineages)
	clear(m.asked)
	return nil
}

// Drop gives the memory of all indexes of a scope back. It is a hint for a scope that was deleted
// or is no longer used: the next search makes what it needs again.
func (m *Manager) Drop(s *backend.Scope) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.lineages, s.Number)
	for k := range m.indexes {
		if k.scope == s.Number {
			delete(m.indexes, k)
		}
	}
}

// index returns the index under a key, made if need be.
func (m *Manager) index(
	k indexKey, c *Collection, s *backend.Scope, fork uint64,
) (*index, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, backend.ErrClosed
	}
	x := m.indexes[k]
	if x == nil {
		x = newIndex(m, k, s, fork, c.Config)
		m.indexes[k] = x
	}
	x.used.Store(m.clock.Add(1))
	return x, nil
}

// maxAsked bounds what is remembered of versions that were asked for once.
const maxAsked = 1024

// wanted tells whether a frozen index is worth making: at once for forks, which share it, else when
// its version is asked for a second time.
func (m *Manager) wanted(k indexKey, view bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !view || m.indexes[k] != nil || m.asked[k] {
		delete(m.asked, k)
		return true
	}
	if len(m.asked) >= maxAsked {
		clear(m.asked)
	}
	m.asked[k] = true
	return false
}

// forget drops one index, unless another has taken its place.
func (m *Manager) forget(x *index) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.indexes[x.key] == x {
		delete(m.indexes, x.key)
	}
}

// shrink makes compact, and then drops, what was not used for longest while all together take more
// than the budget. It counts only when much was added since the last time.
func (m *Manager) shrink() {
	if m.grown.Load() <= m.budget/64 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.grown.Store(0)
	total := int64(0)
	for _, x := range m.indexes {
		total += x.bytes.Load()
	}
	if total <= m.budget {
		return
	}
	byUse := slices.SortedFunc(maps.Values(m.indexes), func(a, b *index) int {
		return cmp.Compare(a.used.Load(), b.used.Load())
	})
	for _, x := range byUse {
		if total > m.budget {
			total -= x.compact()
		}
	}
	newest := m.clock.Load()
	for _, x := range byUse {
		if total > m.budget && x.used.Load() < newest && len(m.indexes) > 1 {
			total -= x.bytes.Load()
			delete(m.indexes, x.key)
		}
	}
}
