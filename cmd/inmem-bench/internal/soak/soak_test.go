package soak

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/internal/show"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// short is a soak of seconds, in which everything happens.
func short(t *testing.T) Options {
	return Options{For: 3 * time.Second, Dir: t.TempDir(), Agents: 2, Steps: 200, Seed: 1,
		Reopen: 900 * time.Millisecond, Checkpoint: 700 * time.Millisecond,
		Sample: 50 * time.Millisecond}
}

func TestShortSoak(t *testing.T) {
	o := short(t)
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.NotZero(t, r.Tally.Commits)
	require.NotZero(t, r.Tally.Runs)
	require.NotEmpty(t, r.Samples)
	left, err := os.ReadDir(o.Dir)
	require.NoError(t, err)
	require.Empty(t, left)

	var out bytes.Buffer
	require.NoError(t, r.Table(&out, show.Style{}))
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, utf8.RuneCountInString(line), 101, line)
	}
	out.Reset()
	require.NoError(t, r.JSON(&out))
	var doc struct {
		Samples []Sample
		Done    Tally
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &doc))
	require.Equal(t, r.Samples, doc.Samples)
	require.Equal(t, r.Tally, doc.Done)
	out.Reset()
	require.NoError(t, r.HTML(&out))
	require.Equal(t, len(figures), strings.Count(out.String(), "<figure>"))
}

// A wrong answer ends the soak: here another writer spoils what an agent has written.
func TestAWrongAnswerEndsTheSoak(t *testing.T) {
	spoiled := false
	c := make(chan error, 1)
	w := &world{path: filepath.Join(t.TempDir(), "db"), steps: 100_000}
	require.NoError(t, w.open(t.Context()))
	defer func() { require.NoError(t, w.db.Close()) }()
	a := &agent{w: w, r: rand.New(rand.NewPCG(1, 1)), name: "agent"}
	go func() { c <- a.live(t.Context()) }()
	for !spoiled {
		for info, err := range w.db.Runs().All(t.Context(), inmem.RunQuery{}) {
			require.NoError(t, err)
			run, err := w.db.Run(t.Context(), info.ID)
			require.NoError(t, err)
			_, err = run.Cell("state").Store(t.Context(), inmem.Int(-5))
			spoiled = spoiled || err == nil
		}
	}
	require.ErrorContains(t, <-c, "wrong answer")
}

func TestReportOfADrift(t *testing.T) {
	r := &Report{Length: time.Hour}
	for i := range 3600 {
		r.Samples = append(r.Samples, Sample{Seconds: float64(i), Heap: float64(i) * (1 << 20),
			Goroutines: 20, Commits: 100 + float64(i%7)})
	}
	require.ErrorContains(t, r.Drifts(), "drift; live heap")
	require.NotContains(t, r.Drifts().Error(), "goroutines")
	var out bytes.Buffer
	require.NoError(t, r.Table(&out, show.Style{}))
	require.Regexp(t, `live heap .* DRIFTS\n`, out.String())
	require.Regexp(t, `goroutines .* steady *\n`, out.String())
}

func TestCommand(t *testing.T) {
	var out, errs bytes.Buffer
	require.Zero(t, Main([]string{"-h"}, &out, &errs))
	require.Contains(t, out.String(), "-reopen")
	for _, bad := range [][]string{{"-for", "0s"}, {"-agents", "0"}, {"x"}, {"-no"}} {
		require.Equal(t, 2, Main(bad, &out, &errs), bad)
	}
	dir := t.TempDir()
	require.Equal(t, 1, Main([]string{"-for", "1s", "-dir", filepath.Join(dir, "none")}, &out, &errs))
	out.Reset()
	code := Main([]string{"-for", "300ms", "-dir", dir, "-html", filepath.Join(dir, "x.html"), "-json",
		filepath.Join(dir, "x.json"), "-quiet"}, &out, &errs)
	require.Zero(t, code, errs.String())
	require.Contains(t, out.String(), "all answers were right")
	require.FileExists(t, filepath.Join(dir, "x.html"))
	require.FileExists(t, filepath.Join(dir, "x.json"))
}
