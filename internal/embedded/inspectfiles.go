package embedded

import (
	"errors"
	"os"
	"strings"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// files checks what lies in the directory: the sentinel, the MANIFEST, every table in use.
func (c *inspection) files() error {
	d := c.db
	if d.opts.Mode == None {
		return nil
	}
	c.guard()
	levels, err := d.store.SSTables()
	if err != nil {
		return d.readFailed(err)
	}
	for _, level := range levels {
		for _, table := range level {
			if err := c.ctx.Err(); err != nil {
				return err
			}
			name := d.opts.FS.PathJoin(d.opts.Dir, table.BackingSSTNum.String()+".sst")
			err := d.verifyTable(c.ctx, name)
			if c.info.Tables++; err == nil {
				continue
			}
			if _, gone := d.opts.FS.Stat(name); errors.Is(gone, os.ErrNotExist) &&
				c.replaced(table.BackingSSTNum.String()) {
				continue
			}
			if !c.damaged(err) {
				return c.ctx.Err()
			}
			c.note(backend.ProblemTable, 0, 0, "", 0, "%s", strings.TrimPrefix(firstLine(err),
				codec.ErrCorrupt.Error()+": "))
		}
	}
	return nil
}

// replaced tells whether a table is in use no more: a compaction may have removed it meanwhile.
func (c *inspection) replaced(number string) bool {
	levels, err := c.db.store.SSTables()
	if err != nil {
		return false
	}
	for _, level := range levels {
		for _, table := range level {
			if table.BackingSSTNum.String() == number {
				return false
			}
		}
	}
	return true
}

// guardLooks is how often the sentinel and the MANIFEST are looked at: they are written meanwhile,
// one after the other.
const guardLooks = 5

// guard compares the sentinel with what lies there.
func (c *inspection) guard() {
	d := c.db
	var s sentinel
	var err error
	for range guardLooks {
		if s, err = readSentinel(d.opts.FS, d.opts.Dir); err == nil {
			if err = checkFiles(d.opts.FS, d.opts.Dir, s); err == nil {
				break
			}
		}
	}
	if err != nil {
		c.note(backend.ProblemGuard, 0, 0, "", 0, "%s", firstLine(err))
		return
	}
	if ours := d.keeper.says(); s.ID != ours.ID || s.State != stateOpen || s.Boot != ours.Boot {
		c.note(backend.ProblemGuard, 0, 0, "", 0, "file %s is of database %s, %s, boot %d; expected "+
			"%s, %s, boot %d", sentinelName, s.ID, s.State, s.Boot, ours.ID, stateOpen, ours.Boot)
	}
}

// ceilings compares the ceilings of the sentinel with the numbers that were found.
func (c *inspection) ceilings(scope codec.Scope) {
	d := c.db
	if d.opts.Mode == None || !c.all() {
		return
	}
	s := d.keeper.says()
	if c.info.Version > s.Versions || c.info.Version < s.Durable {
		c.note(backend.ProblemGuard, 0, 0, "", c.info.Version, "the newest commit is %d, the sentinel "+
			"says %d to %d", c.info.Version, s.Durable, s.Versions)
	}
	if uint64(scope) > s.Scopes {
		c.note(backend.ProblemGuard, scope, 0, "", 0, "scope %d is above the ceiling %d of the sentinel",
			uint64(scope), s.Scopes)
	}
}
