package embedded

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// arrange gathers the scopes, in the order of their numbers, and copies the writes into the order
// in which they reach the log (scope, primitive, key).
func (p *plan) arrange() error {
	if len(p.scopes) > 0 {
		return nil // second round
	}
	if err := p.gatherScopes(); err != nil {
		return err
	}
	for i := range p.req.Writes {
		w := &p.req.Writes[i]
		p.writes = append(p.writes, planWrite{Write: w, scope: p.scopeOf(w.Scope)})
	}
	if len(p.writes) > 1 {
		slices.SortFunc(p.writes, func(a, b planWrite) int {
			return cmp.Or(cmp.Compare(a.Scope.Number, b.Scope.Number),
				cmp.Compare(a.Primitive, b.Primitive), cmp.Compare(a.Key, b.Key))
		})
	}
	for i := range p.writes {
		if err := p.checkWrite(i); err != nil {
			return err
		}
	}
	return nil
}

// gatherScopes lists every scope that the request writes to.
func (p *plan) gatherScopes() error {
	for i := range p.req.Writes {
		w := &p.req.Writes[i]
		if err := p.addScope(w.Scope, w.Primitive.IsIndex()); err != nil {
			return err
		}
	}
	for i := range p.req.Appends {
		if err := p.addScope(p.req.Appends[i].Scope, false); err != nil {
			return err
		}
	}
	for _, s := range p.req.CreateScopes {
		if err := p.addScope(s, true); err != nil {
			return err
		}
		p.scopes[p.scopeOf(s)].created = true
	}
	if len(p.scopes) > 1 {
		slices.SortFunc(p.scopes, func(a, b planScope) int {
			return cmp.Compare(a.handle.Number, b.handle.Number)
		})
	}
	return nil
}

// addScope lists a scope once, there are few, and notes whether only index entries are written.
func (p *plan) addScope(s *backend.Scope, derived bool) error {
	if err := validScope(s); err != nil {
		return err
	}
	if at := p.scopeOf(s); at >= 0 {
		p.scopes[at].derived = p.scopes[at].derived && derived
		return nil
	}
	if n := len(p.scopes); n < cap(p.scopes) {
		p.scopes = p.scopes[:n+1] // with the slices of an earlier commit
	} else {
		p.scopes = append(p.scopes, planScope{})
	}
	added := &p.scopes[len(p.scopes)-1]
	added.handle, added.derived = s, derived
	return nil
}

// scopeOf is the index of a scope, or -1.
func (p *plan) scopeOf(s *backend.Scope) int {
	for i := range p.scopes {
		if p.scopes[i].handle.Number == s.Number {
			return i
		}
	}
	return -1
}

// checkWrite refuses what must not reach the log.
func (p *plan) checkWrite(i int) error {
	w := &p.writes[i]
	key := func() string { return codec.FormatKey(w.Scope.Number, w.Primitive, w.Key) }
	switch {
	case i > 0 && w.sameKey(p.writes[i-1].Write):
		return fmt.Errorf("%w: %s is written twice in one request", codec.ErrInvalidArgument, key())
	case len(w.Value) > backend.MaxEncoded:
		return fmt.Errorf("%w: %s: value of %d bytes, limit %d", codec.ErrTooLarge, key(),
			len(w.Value), backend.MaxEncoded)
	case w.Op < backend.Put || w.Op > backend.Expire:
		return fmt.Errorf("%w: %s: operation %d", codec.ErrInvalidArgument, key(), w.Op)
	case w.isScopeRecord() && w.Op == backend.Put:
		// What cannot be read would leave the scope's status in doubt after the commit.
		if _, err := codec.DecodeScopeRecord(w.Value); err != nil {
			return fmt.Errorf("%w: %s: %v", codec.ErrInvalidArgument, key(), err)
		}
	}
	return nil
}

// isScopeRecord tells whether the write decides whether a scope exists, and its status.
func (w planWrite) isScopeRecord() bool {
	return w.Scope.Number == codec.SystemScope && w.Primitive == codec.ScopeRecords
}

func (w planWrite) sameKey(o *backend.Write) bool {
	return w.Scope.Number == o.Scope.Number && w.Primitive == o.Primitive && w.Key == o.Key
}
