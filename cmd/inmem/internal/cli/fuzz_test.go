package cli

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/alloctest"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// standing is an environment whose clock stands still.
func standing() *env {
	now := time.Date(2026, 5, 14, 9, 30, 0, 0, time.UTC)
	return &env{now: func() time.Time { return now }, zone: time.UTC}
}

// refusedText checks that text is refused as a mistake of who typed it, which is exit code 2.
func refusedText(t *testing.T, err error) {
	require.Equal(t, exitUsage, describe(err).Code, "%v", err)
}

// FuzzParseDuration: what is taken for a duration is none below zero, and with a day before it a
// day longer.
func FuzzParseDuration(f *testing.F) {
	for _, text := range []string{"90s", "1d12h", "3d", "0", "-1h", "1d-1h", "32767d", "2562047h47m",
		"32767d2562047h", "100000000d", "1.5d", "d", "5", "1h1d"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDuration(text)
		if err != nil {
			refusedText(t, err)
			return
		}
		require.GreaterOrEqual(t, d, time.Duration(0))
		again, err := parseDuration(d.String())
		require.NoError(t, err)
		require.Equal(t, d, again)
		if !strings.Contains(text, "d") && d < math.MaxInt64-24*time.Hour {
			longer, err := parseDuration("1d" + text)
			require.NoError(t, err)
			require.Equal(t, d+24*time.Hour, longer)
		}
	})
}

// FuzzTime: what is taken for a time is the same one when it is written in full.
func FuzzTime(f *testing.F) {
	for _, text := range []string{"", "now", "10m", "2026-05-14", "2026-05-14 09:30",
		"2026-05-14T09:30:00.5+02:00", "32767d2562047h", "9999-12-31", "0000-01-01", "24h0m"} {
		f.Add(text)
	}
	e := standing()
	f.Fuzz(func(t *testing.T, text string) {
		at, err := e.time(text)
		if err != nil {
			refusedText(t, err)
			return
		}
		if _, err := parseDuration(text); err == nil {
			require.False(t, at.After(e.now()), "it was ago")
		}
		full := at.Format(time.RFC3339Nano)
		again, err := e.time(full)
		if text != "" && at.Year() >= 0 && at.Year() <= 9999 {
			require.NoError(t, err, full)
			require.True(t, at.Equal(again), full)
		}
	})
}

// FuzzValue: any text is a value, or was meant as JSON and is refused; a value as it is shown is
// the same value.
func FuzzValue(f *testing.F) {
	for _, text := range []string{"", "x", "1", "1.0", "-0", `"x"`, "{", "[1,", `{"$bytes":"eA=="}`,
		"null", "nul", "\xff", " 5 ", `{"a":[1,{"b":null}]}`, "1e999"} {
		f.Add(text)
	}
	e := standing()
	f.Fuzz(func(t *testing.T, text string) {
		var v inmem.Value
		var err error
		alloctest.Within(t, 1<<20+1024*uint64(len(text)), func() { v, err = e.value(text) })
		if err != nil {
			refusedText(t, err)
			return
		}
		if s, err := v.AsString(); err == nil && s == text {
			return // text as it stands
		}
		require.True(t, json.Valid([]byte(text)))
		for _, shown := range []string{v.String(), e.indented(v)} {
			again, err := e.value(shown)
			require.NoError(t, err)
			require.True(t, v == again, shown)
		}
		e.brief(v, 20)
	})
}

// FuzzParseVector: what is taken for a vector has a number for everything that was written.
func FuzzParseVector(f *testing.F) {
	for _, text := range []string{"1 2,3;4\n5", "[1, 2.5, -1e3]", "[1, null]", "[[1]]", "", "[", "nan",
		"1e39", " [1] ", "[1] 2", "0x1p-2", "null", "[1e39]", "1_0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parseVector(text)
		if err != nil {
			refusedText(t, err)
			return
		}
		require.NotContains(t, text, "null")
		for _, x := range v {
			require.False(t, math.IsNaN(float64(x)) || math.IsInf(float64(x), 0), text)
		}
		out, err := json.Marshal(v)
		require.NoError(t, err)
		if v == nil {
			return
		}
		again, err := parseVector(string(out))
		require.NoError(t, err)
		require.Equal(t, v, again)
	})
}

// FuzzParseStatus: what is taken for a status is shown as it was written.
func FuzzParseStatus(f *testing.F) {
	f.Add("active")
	f.Add("Active")
	f.Add("")
	f.Fuzz(func(t *testing.T, name string) {
		s, err := parseStatus(name)
		if err != nil {
			refusedText(t, err)
			return
		}
		require.Equal(t, name, s.String())
	})
}
