package corruptiontest

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// afterwards is the agent of runs that a test begins in a damaged database.
const afterwards = "afterwards"

// The classes of outcomes.
const (
	right   = "right"   // opens; all is read and right, and stays so
	told    = "told"    // the same, but Verify tells of the damage
	refused = "refused" // does not open: an error names the file; nothing was changed
	met     = "met"     // opens; what lies there answers an error with the file, the rest is right
	cut     = "cut"     // opens at an earlier commit, and reports where the log was cut
	wrong   = "WRONG"   // anything else
)

// trial is one damaged directory.
type trial struct {
	t   testing.TB
	s   *subject
	d   *damage
	dir string
	why string // of a wrong outcome
}

func (x *trial) wrong(format string, args ...any) string {
	x.why = fmt.Sprintf(format, args...)
	return wrong
}

// spoil puts the damaged directory there.
func (x *trial) spoil() {
	require.NoError(x.t, os.RemoveAll(x.dir))
	x.s.now.store(x.t, x.dir)
	data := x.d.data
	if x.d.as != "" {
		put(x.t, x.dir, x.d.as, []byte{})
		data = nil
	}
	put(x.t, x.dir, x.d.file, data)
}

// heal puts the good file back into what is left.
func (x *trial) heal() {
	if x.d.as != "" {
		put(x.t, x.dir, x.d.as, nil)
	}
	put(x.t, x.dir, x.d.file, x.s.now[x.d.file])
}

// names tells whether an error names the damaged file. Of files that are gone nobody knows the
// number; of markers and logs the pattern is named then.
func (x *trial) names(err error) bool {
	text, base, kind := err.Error(), path.Base(x.d.file), kindOf(x.d.file)
	return strings.Contains(text, base) || strings.Contains(text, kind) ||
		x.d.as != "" && strings.Contains(text, x.d.as) ||
		strings.HasSuffix(kind, ".sst") && strings.Contains(text, strings.TrimSuffix(base, ".sst"))
}

func isDamage(err error) bool {
	return errors.Is(err, inmem.ErrCorrupt) || errors.Is(err, inmem.ErrFormat)
}

// opened damages, opens, reads, goes on, and judges.
func (x *trial) opened() string {
	x.spoil()
	d, err := inmem.Open(x.dir, options())
	if err != nil {
		return x.refused(err)
	}
	outcome := x.judge(d)
	if outcome == wrong {
		_ = d.Close() // that it is wrong is told already
		return outcome
	}
	if outcome == met {
		_ = d.Close() // it may name the damage again
		return x.healed(outcome)
	}
	run, err := d.BeginRun(x.t.Context(), inmem.RunOptions{Agent: afterwards})
	if err == nil {
		_, err = run.KV().Put(x.t.Context(), "key-07", inmem.Int(1))
	}
	if err = errors.Join(err, d.Close()); err != nil {
		return x.wrong("does not go on: %v", err)
	}
	if d, err = inmem.Open(x.dir, options()); err != nil {
		return x.wrong("does not open again: %v", err)
	}
	want := x.s.want
	if outcome == cut {
		want = nil // what was cut is judged once
	}
	if why := x.differs(d, want); why != "" {
		_ = d.Close() // that it is wrong is told next
		return x.wrong("after it went on: %s", why)
	}
	require.NoError(x.t, d.Close())
	return outcome
}

// refused judges an open that was refused: it names the file, changed nothing, and with the good
// file put back all is there.
func (x *trial) refused(err error) string {
	if !isDamage(err) {
		return x.wrong("refused, but not as damage: %v", err)
	}
	if !x.names(err) {
		return x.wrong("the error does not name the file: %v", err)
	}
	left := load(x.t, x.dir)
	for name, data := range x.s.now {
		if name != x.d.file && name != "LOCK" && name != "OWNER" && string(left[name]) != string(data) {
			return x.wrong("a refused open changed %s", name)
		}
	}
	return x.healed(refused)
}

func (x *trial) healed(outcome string) string {
	x.heal()
	d, err := inmem.Open(x.dir, options())
	if err != nil {
		return x.wrong("with the good file back: %v", err)
	}
	defer func() { require.NoError(x.t, d.Close()) }()
	if why := x.differs(d, x.s.want); why != "" {
		return x.wrong("with the good file back: %s", why)
	}
	return outcome
}

// differs demands that all can be read, is sound, and is what is wanted; nil is anything.
func (x *trial) differs(d *inmem.DB, want parts) string {
	read := x.s.reader.read(x.t, d, want)
	for _, part := range sorted(read.failed) {
		return fmt.Sprintf("%s: %v", part, read.failed[part])
	}
	if part := difference(read.parts, want); want != nil && part != "" {
		return part + " differs"
	}
	report, err := d.Verify(x.t.Context(), inmem.VerifyOptions{})
	if err != nil {
		return err.Error()
	}
	if !report.Sound() {
		return report.Problems[0].String()
	}
	return ""
}

// difference names a part that is in one and not, or not the same, in the other.
func difference(a, b parts) string {
	for _, name := range sorted(a) {
		if a[name] != b[name] {
			return name
		}
	}
	for _, name := range sorted(b) {
		if a[name] != b[name] {
			return name
		}
	}
	return ""
}

func sorted[V any](m map[string]V) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// judge reads a database that opened.
func (x *trial) judge(d *inmem.DB) string {
	read := x.s.reader.read(x.t, d, x.s.want)
	r, last := d.Recovery(), x.s.last
	if r.Next <= last {
		return x.wrong("version %d comes again", r.Next)
	}
	want, outcome := x.s.want, right
	if r.Version != last {
		want, outcome = x.s.cuts[r.Version], cut
		switch {
		case x.s.clean || r.Version > last || kindOf(x.d.file) != "*.log":
			return x.wrong("opens at version %d, not at %d", r.Version, last)
		case r.Version < x.s.proven:
			return x.wrong("opens at version %d, but %d was proven", r.Version, x.s.proven)
		case want == nil:
			return x.wrong("opens at version %d, which was none", r.Version)
		case r.LogFile != path.Base(x.d.file) || r.LogOffset == 0 && r.LogDropped == 0:
			return x.wrong("cut at version %d without a report: %+v", r.Version, r)
		}
	}
	report, err := d.Verify(x.t.Context(), inmem.VerifyOptions{})
	if err != nil {
		return x.wrong("verify: %v", err)
	}
	if !report.Sound() && outcome == right {
		outcome = told
		if !slices.ContainsFunc(report.Problems, func(p inmem.Problem) bool {
			return x.names(errors.New(p.String()))
		}) {
			return x.wrong("verify does not name the file: %v", report.Problems[0].String())
		}
	}
	for _, part := range sorted(read.failed) {
		err := read.failed[part]
		if !isDamage(err) || !x.names(err) {
			return x.wrong("%s: an error that is not of the file: %v", part, err)
		}
		if outcome != told && outcome != met {
			return x.wrong("%s is damaged, and verify does not tell", part)
		}
		outcome = met
	}
	for _, part := range sorted(read.parts) {
		if read.parts[part] != want[part] {
			return x.wrong("%s has another value", part)
		}
	}
	for _, part := range sorted(want) {
		id, _, _ := strings.Cut(part, " ")
		handle := read.failed[id+" handle"] != nil
		if read.parts[part] == "" && read.failed[part] == nil && !handle && !read.left[part] {
			return x.wrong("%s is gone", part)
		}
	}
	return outcome
}

// restored damages a checkpoint and restores it.
func (x *trial) restored() string {
	x.spoil()
	before, to := load(x.t, x.dir), x.dir+"-restored"
	require.NoError(x.t, os.RemoveAll(to))
	_, err := inmem.Restore(x.t.Context(), x.dir, to)
	outcome := right
	if err != nil {
		if outcome = refused; !isDamage(err) || !x.names(err) {
			return x.wrong("refused, and does not name the file: %v", err)
		}
		if _, err := os.Stat(to); err == nil {
			return x.wrong("refused, and yet there is something in the place")
		}
	}
	left := load(x.t, x.dir)
	delete(left, "LOCK")
	delete(before, "LOCK")
	if why := difference(digests(left), digests(before)); why != "" {
		return x.wrong("the checkpoint's %s was changed", why)
	}
	if outcome == refused {
		x.heal()
		if _, err := inmem.Restore(x.t.Context(), x.dir, to); err != nil {
			return x.wrong("with the good file back: %v", err)
		}
	}
	d, err := inmem.Open(to, options())
	if err != nil {
		return x.wrong("what was restored does not open: %v", err)
	}
	defer func() { require.NoError(x.t, d.Close()) }()
	if why := x.differs(d, x.s.want); why != "" {
		return x.wrong("restored: %s", why)
	}
	return outcome
}

func digests(f files) parts {
	p := parts{}
	for name, data := range f {
		p[name] = string(data) + "!"
	}
	return p
}
