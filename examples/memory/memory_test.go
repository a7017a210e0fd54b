package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// R300, R301: a search inside the transaction sees its writes, and one on an old view finds what it
// would have found then.
func TestMemory(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, start(t.Context(), []string{"-dir", t.TempDir()}, &out))
	t.Log("\n" + out.String())
	first, rest, found := strings.Cut(out.String(), "The second day")
	require.True(t, found)
	require.Contains(t, first, "Ada wants a window seat on flights")
	require.NotContains(t, first, "Bob wants an aisle seat", "the filter keeps Bob out")
	require.Contains(t, first, "Bob lives in Zurich too")

	inside, rest, found := strings.Cut(rest, "Now:")
	require.True(t, found)
	require.Contains(t, inside, `replaced "Ada lives in Zurich, near the lake"`)
	require.Contains(t, inside, "  Ada lives in Lisbon")
	require.NotContains(t, inside, "library")

	now, yesterday, found := strings.Cut(rest, "Yesterday evening:")
	require.True(t, found)
	require.Contains(t, now, "Ada lives in Lisbon, high up in Alfama")
	require.NotContains(t, now, "Zurich")
	require.Contains(t, yesterday, "Ada lives in Zurich, near the lake")
	require.NotContains(t, yesterday, "Lisbon")
}

// What a transaction learned is gone with it.
func TestNothingIsLearnedHalfWay(t *testing.T) {
	d, err := inmem.Open(t.TempDir(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	run, err := d.BeginRun(t.Context(), inmem.RunOptions{})
	require.NoError(t, err)
	_, err = run.Vectors(facts).Create(t.Context(),
		inmem.CollectionOptions{Dim: dimensions, Metric: inmem.Cosine})
	require.NoError(t, err)
	require.ErrorIs(t, move(t.Context(), run, &bytes.Buffer{}, "Ada lives in Lisbon"), errUnsure)

	broken := errors.New("the model is gone")
	_, err = run.Update(t.Context(), func(tx *inmem.Tx) error {
		require.NoError(t, remember(t.Context(), tx, learned[0]))
		hits, err := recall(t.Context(), tx, "home of Ada", 5, nil)
		require.NoError(t, err)
		require.Len(t, hits, 1)
		return broken
	})
	require.ErrorIs(t, err, broken)
	hits, err := recall(t.Context(), run, "home of Ada", 5, nil)
	require.NoError(t, err)
	require.Empty(t, hits)
}

func TestEmbed(t *testing.T) {
	near := func(a, b string) (dot float32) {
		x, y := embed(a), embed(b)
		for i := range x {
			dot += x[i] * y[i]
		}
		return dot
	}
	require.Equal(t, embed("Which Flight?"), embed("the flight"), "what is common does not count")
	require.Greater(t, near("flights", "flight"), near("flights", "library"))
	require.Equal(t, make([]float32, dimensions), embed("the of"), "nothing is left")
}
