package txn

// Now is the authority's time in Unix nanoseconds, for what a primitive dates itself: inside a
// transaction or view the time at its start, by which it judges expiry as well, so that everything
// in it has one time; otherwise the time of the call. It never goes back. 0 for the zero Scope.
func (s Scope) Now() int64 {
	switch {
	case s.tx != nil:
		return s.tx.now
	case s.view != nil:
		return s.view.now
	case s.m == nil:
		return 0
	}
	return s.m.b.Now()
}
