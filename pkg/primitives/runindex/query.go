package runindex

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Query selects runs: those that meet every condition. The zero Query selects all that are not
// archived.
type Query struct {
	// Status keeps runs with one of these statuses. Without any: all but Archived.
	Status []codec.Status
	// IncludeArchived adds the archived runs to a Query without Status.
	IncludeArchived bool
	// Interrupted keeps the Active runs that were left behind by a process which ended without
	// closing the database.
	Interrupted bool
	// Tags keeps runs that have all of these.
	Tags []string
	// Tenant, App and Agent keep runs with these parts of the namespace; an empty one is any.
	Tenant, App, Agent string
	// Parent keeps the children of a run, by its id.
	Parent string
	// Since keeps runs created at this time or later, Until those created earlier; the zero Time
	// for no bound.
	Since, Until time.Time
	// Reverse walks from the newest run to the oldest. The order is that of creation, and for the
	// same time that of ids.
	Reverse bool
	// Limit is the most runs on a page: at most MaxLimit, 0 for DefaultLimit. In All it is the most
	// runs at all, and 0 is no limit. Count and Stats pass it over.
	Limit int
	// Token is Page.Next of the page before; empty for the first page. Everything but Limit must be
	// as it was there.
	Token string

	_ struct{}
}

// The number of runs on a page.
const (
	DefaultLimit = 50
	MaxLimit     = 1000
)

// Bounds of what is kept in a record, in bytes and in number. They keep index keys in their bounds,
// and changes of a record cheap: each writes it anew.
const (
	MaxName     = 1 << 10 // a tag, and each part of a namespace
	MaxTags     = 256     // tags of one run
	MaxMetadata = 1 << 20 // encoded metadata
	MaxError    = 64 << 10
)

// Page is one page of runs.
type Page struct {
	// Runs are in the order of the Query.
	Runs []Info
	// Next is the Token for the next page; empty when there is none.
	Next string
}

// filter is a Query that was checked.
type filter struct {
	status             []codec.Status // ascending, none twice; empty: all but Archived
	archived           bool           // those too
	interrupted        bool
	tags               []string // ascending, none twice
	tenant, app, agent string
	parent             [16]byte
	parentNumber       codec.Scope // see resolve
	none               bool        // nothing can match
	from, to           string      // bounds of places
	down               bool
}

// newFilter checks a query.
func newFilter(q *Query) (*filter, error) {
	f := &filter{
		status: slices.Compact(slices.Sorted(slices.Values(q.Status))), archived: q.IncludeArchived,
		interrupted: q.Interrupted, tenant: q.Tenant, app: q.App, agent: q.Agent, down: q.Reverse,
		tags: slices.Compact(slices.Sorted(slices.Values(q.Tags))),
	}
	for _, s := range f.status {
		if !s.Valid() {
			return nil, fmt.Errorf("%w: %v is no status", codec.ErrInvalidArgument, s)
		}
	}
	if err := checkTags(f.tags); err != nil {
		return nil, err
	}
	if err := checkSpace(q.Tenant, q.App, q.Agent); err != nil {
		return nil, err
	}
	if q.Parent != "" {
		id, err := ParseID(q.Parent)
		if err != nil {
			return nil, err
		}
		f.parent = id
	}
	if q.Limit < 0 {
		return nil, fmt.Errorf("%w: limit %d is negative", codec.ErrInvalidArgument, q.Limit)
	}
	f.from, f.to = timeBound(q.Since), timeBound(q.Until)
	return f, nil
}

// timeBound is before all places with this time or a later one, and behind all earlier ones.
func timeBound(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	ns := t.UnixNano()
	// UnixNano is undefined beyond the years 1678 to 2262.
	switch year := t.Year(); {
	case year < 1678:
		ns = math.MinInt64
	case year > 2261:
		ns = math.MaxInt64
	}
	return string(codec.Tuple(nil).AppendTime(ns))
}

// wantsLive and wantsArchived tell which family of entries is asked.
func (f *filter) wantsLive() bool {
	switch {
	case f.interrupted:
		return len(f.status) == 0 || slices.Contains(f.status, codec.Active)
	case len(f.status) == 0:
		return true
	}
	return f.status[0] != codec.Archived
}

func (f *filter) wantsArchived() bool {
	if f.interrupted {
		return false
	}
	return slices.Contains(f.status, codec.Archived) || len(f.status) == 0 && f.archived
}

// liveStatus are the statuses to choose from among runs that are not archived; none: all of them.
func (f *filter) liveStatus() []codec.Status {
	var list []codec.Status
	for _, s := range f.status {
		if s != codec.Archived {
			list = append(list, s)
		}
	}
	if len(list) == int(codec.Archived-codec.Active) {
		return nil
	}
	return list
}

// of is the filter for the runs with one status among those that it selects, archived ones too.
func (f *filter) of(s codec.Status) filter {
	one := *f
	one.status = []codec.Status{s}
	one.none = len(f.status) > 0 && !slices.Contains(f.status, s)
	return one
}

// resolve finds the parent. One that does not exist, or no longer, has no children.
func (f *filter) resolve(ctx context.Context, s txn.Scope) error {
	if f.parent == [16]byte{} {
		return nil
	}
	e, err := s.Peek(ctx, codec.ScopeRecords, idText(f.parent))
	if err != nil || !e.Exists {
		f.none = true
		return err
	}
	r, err := codec.DecodeScopeRecord(e.Value)
	f.parentNumber = r.Number
	return err
}

// matches judges a record. Whatever the index says, the record decides.
func (f *filter) matches(r *codec.ScopeRecord, epoch uint64) bool {
	place := placeOf(r.Created, r.ID)
	switch {
	case place < f.from || f.to != "" && place >= f.to,
		len(f.status) > 0 && !slices.Contains(f.status, r.Status),
		len(f.status) == 0 && r.Status == codec.Archived && !f.archived,
		f.interrupted && !interrupted(r, epoch),
		f.tenant != "" && r.Tenant != f.tenant, f.app != "" && r.App != f.app,
		f.agent != "" && r.Agent != f.agent,
		f.parentNumber != 0 && r.ParentNumber != f.parentNumber:
		return false
	}
	for _, tag := range f.tags {
		if _, has := slices.BinarySearch(r.Tags, tag); !has {
			return false
		}
	}
	return true
}

// streams are what the places of the runs are the common ones of, or of either family.
func (f *filter) streams(w *walk, l *layout, epoch uint64) stream {
	var families []stream
	if f.none {
		return newUnion(w, nil)
	}
	if f.wantsLive() {
		var list []stream
		switch live := f.liveStatus(); {
		case f.interrupted:
			past := func(e uint64) bool { return e < epoch }
			list = append(list, newUnion(w, passing(w, l, codec.Active, past)))
		case len(live) > 0:
			list = append(list, newUnion(w, statusStreams(w, l, live)))
		}
		families = append(families, newBoth(w, f.plainStreams(w, false, list)))
	}
	if f.wantsArchived() {
		families = append(families, newBoth(w, f.plainStreams(w, true, nil)))
	}
	return newUnion(w, families)
}

func statusStreams(w *walk, l *layout, statuses []codec.Status) []stream {
	var list []stream
	for _, s := range statuses {
		if stays(s) {
			list = append(list, newEntries(w, stretch{prefix: string(statusPrefix(s))}))
		} else {
			list = append(list, passing(w, l, s, everyEpoch)...)
		}
	}
	return list
}

func passing(w *walk, l *layout, s codec.Status, wanted func(uint64) bool) []stream {
	var list []stream
	for _, part := range l.stretches(s, wanted) {
		list = append(list, newEntries(w, part))
	}
	return list
}

// plainStreams adds the streams of everything that is no status. A run is in at least one.
func (f *filter) plainStreams(w *walk, archived bool, list []stream) []stream {
	add := func(t codec.Tuple) {
		list = append(list, newEntries(w, stretch{prefix: string(t)}))
	}
	if f.parentNumber != 0 {
		add(parentPrefix(archived, f.parentNumber))
	}
	for _, tag := range f.tags {
		add(tagPrefix(archived, tag))
	}
	if f.tenant != "" || f.app != "" || f.agent != "" {
		add(spacePrefix(archived, f.tenant, f.app, f.agent))
	}
	if len(list) == 0 {
		add(family(archived, kindRun))
	}
	return list
}

func checkTags(tags []string) error {
	if len(tags) > MaxTags {
		return fmt.Errorf("%w: %d tags, at most %d", codec.ErrTooLarge, len(tags), MaxTags)
	}
	for _, tag := range tags {
		if tag == "" {
			return fmt.Errorf("%w: a tag is empty", codec.ErrInvalidArgument)
		}
		if err := checkName("tag", tag); err != nil {
			return err
		}
	}
	return nil
}

func checkSpace(tenant, app, agent string) error {
	for _, part := range [...]struct{ what, name string }{
		{"tenant", tenant}, {"app", app}, {"agent", agent},
	} {
		if err := checkName(part.what, part.name); err != nil {
			return err
		}
	}
	return nil
}

func checkName(what, name string) error {
	switch {
	case len(name) > MaxName:
		return fmt.Errorf("%w: %s of %d bytes, at most %d", codec.ErrTooLarge, what, len(name),
			MaxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %s %q is not UTF-8", codec.ErrInvalidArgument, what, shown(name))
	}
	return nil
}

// shown keeps a text that may be long short enough for a message.
func shown(text string) string {
	const most = 64
	return text[:min(most, len(text))]
}

// ParseID reads the id of a run: a UUID in the form of 36 characters, not all zeros. Errors:
// codec.ErrInvalidArgument.
func ParseID(text string) ([16]byte, error) {
	const textForm = 36
	id, err := uuid.Parse(text)
	if err != nil || len(text) != textForm || id == uuid.Nil {
		return [16]byte{}, fmt.Errorf("%w: run id %q is not a UUID of 36 characters",
			codec.ErrInvalidArgument, shown(text))
	}
	return id, nil
}
