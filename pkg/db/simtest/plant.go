package simtest

import (
	"github.com/inmem-db/inmem/internal/backend"
)

// plant is a fault that tests put into the database to see that the simulation finds it. A nil
// plant changes nothing.
type plant struct {
	// over wraps the authority, forget says of which files a sync is not done.
	over   func(authority) authority
	forget func(file string) bool
}

// authority is a backend that can be looked over.
type authority interface {
	backend.Backend
	backend.Inspector
}

func (p *plant) wrap(b authority) authority {
	if p == nil || p.over == nil {
		return b
	}
	return p.over(b)
}

func (e *episode) plantOn(d *disk) {
	if e.c.plant != nil {
		d.forget = e.c.plant.forget
	}
}
