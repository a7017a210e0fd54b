package transcript_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// airline is a recording of a real agent: 50 tasks, four trials of each. It is not part of the
// repository.
var airline = filepath.Join("..", "..", "..", "shared", "data", "tau-bench", "gpt-4o-airline.json")

func needAirline(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(airline); err != nil {
		t.Skipf("the recording of tau-bench is not here: %v", err)
	}
}

func TestRealImport(t *testing.T) {
	needAirline(t)
	ctx := context.Background()
	d, err := inmem.Open(t.TempDir(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	start := time.Now()
	res, err := transcript.ImportFile(ctx, d, airline, transcript.Options{})
	require.NoError(t, err)
	t.Logf("%+v", res)
	t.Logf("%v, %d commits", time.Since(start), d.Metrics().Commits)
	require.Equal(t, 200, res.Runs)
	require.Equal(t, 5308, res.Messages)
	require.Equal(t, 5308, res.Events)
	require.Equal(t, 1164, res.ToolCalls)
	require.Equal(t, 84, res.Completed)
	require.Equal(t, 116, res.Failed)
	require.Equal(t, 200+2454+1164, res.Spans)
	require.EqualValues(t, 4114038, res.Bytes)
	c, err := transcript.Compare(ctx, d, inmem.RunQuery{Tags: []string{"task_id=0"}},
		transcript.CompareOptions{})
	require.NoError(t, err)
	require.Contains(t, text(t, c), "… #", "long steps are cut")
	for r, err := range d.Runs().All(ctx, inmem.RunQuery{}) {
		require.NoError(t, err)
		run, err := d.Run(ctx, r.ID)
		require.NoError(t, err)
		v, err := run.Events().Verify(ctx)
		require.NoError(t, err)
		require.True(t, v.Valid, v.Reason)
	}
	again, err := transcript.ImportFile(ctx, d, airline, transcript.Options{})
	require.NoError(t, err)
	require.Equal(t, 200, again.Skipped)
	require.Zero(t, again.Runs)
}
