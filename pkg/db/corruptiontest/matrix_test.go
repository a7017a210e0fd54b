package corruptiontest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// places is how many places in every region of a file are damaged in every way: make corruption has
// many, a test that is one of many one.
func places(t testing.TB) (n int, long bool) {
	text := os.Getenv("INMEM_CORRUPTION")
	if text == "" {
		return 1, false
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "INMEM_CORRUPTION")
	return max(1, n), true
}

// Every kind of file, in every region, damaged in every way: right data, an error that names the
// file, or a reported cut of the log's torn end (R107, R129, R220).
func TestCorruptionMatrix(t *testing.T) {
	o := newOutcomes()
	n, long := places(t)
	closed, killed, copied := build(t, 1, fewRows)
	t.Run("states", func(t *testing.T) {
		for _, s := range []*subject{closed, killed, copied} {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				play(t, o, s, s.name, n, (*trial).opened)
			})
		}
		t.Run("restored", func(t *testing.T) {
			t.Parallel()
			play(t, o, copied, stateRestored, n, (*trial).restored)
		})
		t.Run("indexed", func(t *testing.T) {
			t.Parallel()
			if testing.Short() {
				t.Skip("-short: links the thousands of rows of an index file; go test ./... runs it")
			}
			indexed, _, _ := build(t, 2, manyRows)
			play(t, o, indexed, indexed.name, (n+4)/5, (*trial).opened, "derived/*")
		})
		t.Run("bundle", func(t *testing.T) {
			t.Parallel()
			playBundle(t, o, closed, n)
		})
	})
	o.conclude(t, long)
}

// play damages all files of some kinds, none is all, and judges what comes of it. In short form
// every fourth damage has to do.
func play(t *testing.T, o *outcomes, s *subject, state string, places int,
	how func(*trial) string, kinds ...string,
) {
	rng := rand.New(rand.NewPCG(7, 7))
	dir, i := filepath.Join(scratch(t), "db"), 0
	for _, name := range s.now.names() {
		if len(kinds) > 0 && !slices.Contains(kinds, kindOf(name)) {
			continue
		}
		for _, d := range s.damages(name, rng, places) {
			if i++; testing.Short() && i%4 != 0 {
				continue
			}
			x := &trial{t: t, s: s, d: d, dir: dir}
			outcome := how(x)
			if outcome == wrong {
				t.Errorf("%s: %v: %s", state, d, x.why)
			}
			o.add(cell{kindOf(name), d.way, d.region, state}, outcome)
		}
	}
}

const bundle = "a bundle"

// playBundle damages an exported run, and imports it.
func playBundle(t *testing.T, o *outcomes, s *subject, places int) {
	ctx, dir := t.Context(), filepath.Join(scratch(t), "db")
	s.now.store(t, dir)
	d, err := inmem.Open(dir, options())
	require.NoError(t, err)
	var id string
	for run, err := range d.Runs().All(ctx, inmem.RunQuery{Tenant: "acme", Tags: []string{"late"}}) {
		require.NoError(t, err)
		id = run.ID
	}
	var file bytes.Buffer
	info, err := d.ExportRun(ctx, id, &file, inmem.ExportOptions{})
	require.NoError(t, err)
	require.NoError(t, d.Close())
	to, err := inmem.Open("imports", &inmem.Options{Durability: inmem.None})
	require.NoError(t, err)
	defer func() { require.NoError(t, to.Close()) }()
	all := &subject{now: files{bundle: file.Bytes()}}
	for _, how := range all.damages(bundle, rand.New(rand.NewPCG(8, 8)), 4*places) {
		if how.way == remove {
			continue
		}
		outcome, why := imported(t, to, how.data, id, info)
		if outcome == wrong {
			t.Errorf("%v: %s", how, why)
		}
		o.add(cell{bundle, how.way, how.region, "closed"}, outcome)
	}
}

// imported verifies and imports a damaged bundle: refused both times, with nothing left behind, or
// the run that it was.
func imported(
	t *testing.T, to *inmem.DB, file []byte, id string, want inmem.BundleInfo,
) (outcome, why string) {
	ctx := t.Context()
	info, verified := inmem.VerifyBundle(ctx, bytes.NewReader(file))
	run, err := to.ImportRun(ctx, bytes.NewReader(file), inmem.ImportOptions{})
	if err != nil {
		if !isDamage(err) || !isDamage(verified) {
			return wrong, fmt.Sprintf("refused, but not as damage: %v; %v", verified, err)
		}
		if _, err := to.Run(ctx, id); !errors.Is(err, inmem.ErrRunNotFound) {
			return wrong, fmt.Sprintf("refused, and yet there is a run: %v", err)
		}
		return refused, ""
	}
	hash, err := run.StateHash(ctx, to.Version())
	if err != nil || verified != nil || hash != want.StateHash || info.Digest != want.Digest {
		return wrong, fmt.Sprintf("imported as another: %v, %v", verified, err)
	}
	require.NoError(t, to.DeleteRun(ctx, run.ID()))
	return right, ""
}
