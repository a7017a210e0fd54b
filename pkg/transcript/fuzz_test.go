package transcript

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// seeds gives a fuzzer the samples and what stands in the scripts.
func seeds(f *testing.F) {
	for _, pattern := range []string{"samples/*", "scripts/*"} {
		names, err := filepath.Glob(filepath.Join("testdata", pattern))
		require.NoError(f, err)
		for _, name := range names {
			b, err := os.ReadFile(name)
			require.NoError(f, err)
			f.Add(b)
			for part := range strings.SplitSeq(string(b), "\n\n") {
				if _, body, ok := strings.Cut(part, "\n"); ok {
					input, _, _ := strings.Cut(body, "\n----")
					f.Add([]byte(input))
				}
			}
		}
	}
	for _, text := range []string{
		`{"a": [1, -2.5e-3, true, false, null, "\u00e9\ud83d\ude00\n"], "b": {"$bytes": 1}}`,
		"\xef\xbb\xbf[]", `[1,]`, `"\xff"`, strings.Repeat("[", 200), `{"a":1,"a":2}`, `-0`, `1e400`,
	} {
		f.Add([]byte(text))
	}
}

// Whatever the bytes, reading ends with trajectories and errors, and never panics; a trajectory
// keeps its rules; the same bytes give the same.
func fuzzFormat(f *testing.F, format Format) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		first, again := readAll(t, b, format), readAll(t, b, format)
		require.True(t, reflect.DeepEqual(first, again))
		for _, x := range first {
			checkTrajectory(t, x)
		}
	})
}

func readAll(t *testing.T, b []byte, format Format) (all []*Trajectory) {
	s := Source{Name: "fuzz", Reader: bytes.NewReader(b)}
	o := ReadOptions{Format: format, MaxRecord: 1 << 16}
	for x, err := range Read(context.Background(), s, o) {
		if err == nil {
			all = append(all, x)
			continue
		}
		var bad *RecordError
		require.True(t, errors.As(err, &bad) || errors.Is(err, ErrUnknownFormat), err)
		if bad != nil {
			require.LessOrEqual(t, bad.Offset, int64(len(b)))
			require.GreaterOrEqual(t, bad.Offset, int64(0))
		}
	}
	return all
}

func checkTrajectory(t *testing.T, x *Trajectory) {
	require.Len(t, x.ID, 36)
	orphans := 0
	for i := range x.Entries {
		e := &x.Entries[i]
		require.NotEmpty(t, e.Type)
		require.False(t, i > 0 && e.Time.Before(x.Entries[i-1].Time), "times fall")
		require.GreaterOrEqual(t, min(e.InputTokens, e.OutputTokens, int64(e.Cost)), int64(0))
		_, err := codec.AppendValue(nil, e.Payload)
		require.NoError(t, err)
		for _, c := range e.Calls {
			require.NotEmpty(t, c.Tool)
			require.True(t, c.Answer == -1 || c.Answer > i && c.Answer < len(x.Entries))
		}
		for _, r := range e.Results {
			if r.Entry < 0 {
				orphans++
				continue
			}
			require.Equal(t, i, x.Entries[r.Entry].Calls[r.Call].Answer)
		}
	}
	require.Equal(t, x.Orphans, orphans)
}

func FuzzOpenAIMessages(f *testing.F) { fuzzFormat(f, OpenAIMessages) }

func FuzzSWEAgent(f *testing.F) { fuzzFormat(f, SWEAgent) }

func FuzzJSONL(f *testing.F) { fuzzFormat(f, JSONL) }

func FuzzDetected(f *testing.F) { fuzzFormat(f, "") }

// TestMutatedSamples is what the fuzz targets do, on samples with a few bytes changed.
func TestMutatedSamples(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("testdata", "samples", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	formats := append(Formats(), "")
	rapid.Check(t, func(r *rapid.T) {
		b, err := os.ReadFile(rapid.SampledFrom(names).Draw(r, "sample"))
		require.NoError(r, err)
		for range rapid.IntRange(1, 4).Draw(r, "changes") {
			at := rapid.IntRange(0, len(b)-1).Draw(r, "at")
			end := min(len(b), at+rapid.IntRange(0, 40).Draw(r, "length"))
			piece := rapid.SampledFrom([]string{"", "{", "}", "[", "]", `"`, ",", ":", "null", "0",
				"\\", "\n", "\xff", `"role"`, "1e9", "-"}).Draw(r, "piece")
			b = slices.Concat(b[:at], []byte(piece), b[end:])
			if len(b) == 0 {
				return
			}
		}
		for _, x := range readAll(t, b, rapid.SampledFrom(formats).Draw(r, "format")) {
			checkTrajectory(t, x)
		}
	})
}

// FuzzImport writes what was read: the database takes it, or refuses it as too large.
func FuzzImport(f *testing.F) {
	seeds(f)
	d, err := inmem.Open("fuzz", &inmem.Options{Durability: inmem.None})
	require.NoError(f, err)
	f.Cleanup(func() { _ = d.Close() })
	f.Fuzz(func(t *testing.T, b []byte) {
		s := Source{Name: "fuzz", Reader: bytes.NewReader(b)}
		res, err := Import(context.Background(), d, s, Options{Malformed: SkipMalformed, Workers: 1})
		require.True(t, err == nil || errors.Is(err, ErrMalformed) || errors.Is(err, ErrUnknownFormat),
			err)
		for _, bad := range res.Errors {
			require.NotErrorIs(t, bad.Err, inmem.ErrInvalidArgument)
		}
		for info, err := range d.Runs().All(context.Background(), inmem.RunQuery{}) {
			require.NoError(t, err)
			require.False(t, info.Ended.IsZero(), "a run was left half written")
			require.NoError(t, d.DeleteRun(context.Background(), info.ID))
		}
	})
}

// FuzzParseJSON holds the parser against package json: what it accepts is JSON and means the same;
// what it refuses is no JSON, or one of the things that package json mends in silence.
func FuzzParseJSON(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := parseJSON(b)
		if err != nil {
			var at *notJSON
			require.ErrorAs(t, err, &at)
			require.True(t, at.at >= 0 && at.at <= len(b))
			if json.Valid(b) {
				require.Regexp(t, "twice|UTF-8|surrogate|fit into|inside each other", err.Error())
			}
			return
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		var want any
		require.NoError(t, d.Decode(&want))
		require.Equal(t, want, plain(&n))
		_, err = n.stored()
		require.NoError(t, err)
	})
}

// plain is a node as package json would have it.
func plain(n *node) any {
	switch n.kind {
	case isTrue, isFalse:
		return n.kind == isTrue
	case isNumber:
		return json.Number(n.text)
	case isString:
		return n.text
	case isArray:
		all := []any{}
		for i := range n.items {
			all = append(all, plain(&n.items[i]))
		}
		return all
	case isObject:
		all := map[string]any{}
		for i, key := range n.keys {
			all[key] = plain(&n.items[i])
		}
		return all
	}
	return nil
}
