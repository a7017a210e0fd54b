package cli

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// layouts are the forms of a time, besides a duration for how long ago it was.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02",
}

// time reads a time: a date, a date with a time of day, or how long ago it was. Empty is the zero
// time.
func (e *env) time(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if text == "now" {
		return e.now(), nil
	}
	if ago, err := parseDuration(text); err == nil {
		return e.now().Add(-ago), nil
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, text, e.zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, advise(usagef("%q is not a time", text),
		`write 2026-05-14, "2026-05-14 09:30", 2026-05-14T09:30:00Z, or 10m for ten minutes ago`)
}

// parseDuration is time.ParseDuration that knows days, too, as in 3d and 1d12h. It refuses what is
// negative.
func parseDuration(text string) (time.Duration, error) {
	var days int64
	rest := text
	if head, tail, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseInt(head, 10, 16)
		if err != nil {
			return 0, usagef("%q is not a duration", text)
		}
		days, rest = n, tail
	}
	var d time.Duration
	if rest != "" || days == 0 {
		var err error
		if d, err = time.ParseDuration(rest); err != nil {
			return 0, advise(usagef("%q is not a duration", text), "write 90s, 10m, 2h or 3d")
		}
	}
	if d < 0 || days < 0 {
		return 0, usagef("%q is a negative duration", text)
	}
	const day = 24 * time.Hour
	if d > math.MaxInt64-time.Duration(days)*day { // days are at most 32767
		return 0, usagef("%q is too long for a duration, of 292 years at most", text)
	}
	return d + time.Duration(days)*day, nil
}

// version reads a version of a run: a number, or a time, which stands for the last version before
// it. Empty is 0, which stands for the newest.
func (e *env) version(ctx context.Context, run *inmem.Run, text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	if v, err := strconv.ParseUint(text, 10, 64); err == nil {
		if v == 0 {
			return 0, advise(usagef("there is nothing at version 0"), "versions begin with 1")
		}
		return v, nil
	}
	t, err := e.time(text)
	if err != nil {
		return 0, advise(usagef("%q is neither a version nor a time", text),
			"versions are numbers; inmem replay RUN lists them")
	}
	view, err := run.AtTime(ctx, t)
	if err != nil {
		return 0, err
	}
	if err := view.Close(); err != nil {
		return 0, err
	}
	if view.Version() == 0 {
		return 0, advise(notFoundf("run %s had no commit by %s", run.ID(), e.clock(t)),
			"inmem show %s tells when it began", run.ID())
	}
	return view.Version(), nil
}

// clock shows a time to people; empty for the zero time.
func (e *env) clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(e.zone).Format("2006-01-02 15:04:05")
}
