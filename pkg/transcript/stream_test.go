package transcript_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// endless repeats a text until so many bytes were read.
type endless struct {
	head, text, tail string
	left             int
	rest             string
}

func (e *endless) Read(b []byte) (int, error) {
	if e.rest == "" {
		switch {
		case e.head != "":
			e.rest, e.head = e.head, ""
		case e.left > 0:
			e.rest = e.text
			e.left -= len(e.text)
		case e.tail != "":
			e.rest, e.tail = e.tail, ""
		default:
			return 0, io.EOF
		}
	}
	n := copy(b, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A source of any size is read with memory for one record, in every shape.
func TestReadHoldsOneRecord(t *testing.T) {
	const size, bound = 8 << 20, 4 << 20
	long := strings.Repeat("word ", 2000)
	message := `{"role": "user", "content": "` + long + `"}`
	for name, r := range map[string]*endless{
		"elements": {head: `[[]`, text: ",\n[" + message + "]", tail: `]`, left: size},
		"lines":    {text: `{"messages": [` + message + "]}\n", left: size},
		"values":   {text: "{\n\"messages\": [" + message + "]\n}\n", left: size},
	} {
		before := heap()
		n, most := 0, uint64(0)
		s := transcript.Source{Name: "a", Reader: r}
		for _, err := range transcript.Read(t.Context(), s, transcript.ReadOptions{}) {
			require.NoError(t, err, name)
			if n++; n%200 == 0 {
				most = max(most, heap())
			}
		}
		require.Greater(t, n, 700, name)
		require.Less(t, most, before+bound, name)
	}
}

// Lines of one run after the other need no end marks: what was silent for longest is given out.
func TestReadLinesHoldsOneRun(t *testing.T) {
	var b strings.Builder
	for i := range 4000 {
		for range 3 {
			fmt.Fprintf(&b, "{\"run\": %d, \"type\": \"x\"}\n", i)
		}
	}
	runs := 0
	for x, err := range transcript.Read(t.Context(), source("a", b.String()),
		transcript.ReadOptions{MaxRecord: 2048}) {
		require.NoError(t, err)
		require.Len(t, x.Entries, 3)
		runs++
	}
	require.Equal(t, 4000, runs)
}

// What is over the limit is passed over without being held, even if it never ends.
func TestReadPassesOverWhatIsTooLarge(t *testing.T) {
	for _, r := range []*endless{
		{head: `[{"messages": [{"role": "`, text: strings.Repeat("x", 1000), left: 8 << 20,
			tail: `"}]}, {"messages": []}]`},
		{head: "{\"messages\": []}\n{\"messages\": [{\"role\": \"", text: strings.Repeat("x", 1000),
			left: 8 << 20, tail: "\"}]}\n{\"messages\": []}\n"},
		{head: `[{"messages": []}, {"messages": [{"role": "`, text: strings.Repeat("x", 1000),
			left: 8 << 20},
	} {
		before := heap()
		var good, bad int
		for _, err := range transcript.Read(t.Context(), transcript.Source{Name: "a", Reader: r},
			transcript.ReadOptions{MaxRecord: 1 << 20}) {
			if err == nil {
				good++
				continue
			}
			require.ErrorIs(t, err, inmem.ErrTooLarge)
			require.Less(t, heap(), before+4<<20)
			bad++
		}
		require.Equal(t, 1, bad)
		require.Positive(t, good)
	}
}

// An import that is killed is finished by the next one: nothing is missing, nothing is there twice.
func TestImportSurvivesKill(t *testing.T) {
	const runs = 60
	if dir := os.Getenv("TRANSCRIPT_KILL_DIR"); dir != "" {
		d, err := inmem.Open(dir, nil)
		require.NoError(t, err)
		_, err = transcript.Import(context.Background(), d, source("a", many(runs)), transcript.Options{
			Workers: 3, Progress: func(p transcript.Progress) {
				if p.Runs == 12 || p.Bytes == int64(len(many(runs))) {
					self, _ := os.FindProcess(os.Getpid())
					_ = self.Kill()
					select {}
				}
			}})
		t.Fatal("not killed", err)
	}
	whole := open(t, nil)
	_, err := transcript.Import(t.Context(), whole, source("a", many(runs)), transcript.Options{})
	require.NoError(t, err)
	dir := t.TempDir()
	for range 3 {
		child := exec.Command(os.Args[0], "-test.run=^TestImportSurvivesKill$")
		child.Env = append(os.Environ(), "TRANSCRIPT_KILL_DIR="+dir)
		out, err := child.CombinedOutput()
		require.Error(t, err)
		require.NotContains(t, string(out), "FAIL", string(out))
	}
	d, err := inmem.Open(dir, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	res, err := transcript.Import(t.Context(), d, source("a", many(runs)), transcript.Options{})
	require.NoError(t, err)
	t.Logf("%d written, %d of them anew, %d were there", res.Runs, res.Redone, res.Skipped)
	require.Equal(t, runs, res.Runs+res.Skipped)
	require.Equal(t, contents(t, whole, false), contents(t, d, false))
}
