package transcript_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// TestScripts reads what stands in the scripts, or the samples that they name, and shows what came
// out.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, c *datadriven.TestData) string {
			var name, format string
			o := transcript.ReadOptions{}
			c.MaybeScanArgs(t, "name", &name)
			c.MaybeScanArgs(t, "format", &format)
			c.MaybeScanArgs(t, "max", &o.MaxRecord)
			o.Format = transcript.Format(format)
			switch c.Cmd {
			case "detect":
				f, err := transcript.Detect(name, []byte(c.Input))
				if err != nil {
					require.ErrorIs(t, err, transcript.ErrUnknownFormat)
					return err.Error() + "\n"
				}
				return string(f) + "\n"
			case "file":
				s, f, err := transcript.OpenFile(filepath.Join("testdata", "samples", name))
				require.NoError(t, err)
				defer func() { require.NoError(t, f.Close()) }()
				return show(t, s, o)
			default:
				s := transcript.Source{Name: "here", Reader: strings.NewReader(c.Input)}
				return show(t, s, o)
			}
		})
	})
}

// show reads a source and prints every trajectory, and every error.
func show(t *testing.T, s transcript.Source, o transcript.ReadOptions) string {
	var b strings.Builder
	for x, err := range transcript.Read(context.Background(), s, o) {
		if err == nil {
			describe(&b, x)
			continue
		}
		var bad *transcript.RecordError
		require.ErrorAs(t, err, &bad)
		require.ErrorIs(t, err, transcript.ErrMalformed)
		fmt.Fprintf(&b, "%v", err)
		if bad.Fatal {
			b.WriteString(" (fatal)")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func describe(b *strings.Builder, x *transcript.Trajectory) {
	fmt.Fprintf(b, "record %d at %d %s", x.Record, x.Offset, x.Timing)
	for _, f := range [][2]string{{"name", x.Name}, {"task", x.Task}, {"trial", x.Trial},
		{"agent", x.Agent}, {"model", x.Model}, {"exit", x.Exit}} {
		if f[1] != "" {
			fmt.Fprintf(b, " %s=%s", f[0], f[1])
		}
	}
	if x.Reward != nil {
		fmt.Fprintf(b, " reward=%g", *x.Reward)
	}
	if x.InputTokens+x.OutputTokens > 0 || x.Cost > 0 {
		fmt.Fprintf(b, " tokens=%d+%d %v", x.InputTokens, x.OutputTokens, x.Cost)
	}
	if x.Orphans > 0 {
		fmt.Fprintf(b, " orphans=%d", x.Orphans)
	}
	if !x.Fields.IsNull() {
		fmt.Fprintf(b, " fields=%v", x.Fields)
	}
	if len(x.Tags) > 0 {
		fmt.Fprintf(b, " tags=%v", x.Tags)
	}
	b.WriteString("\n")
	for i := range x.Entries {
		e := &x.Entries[i]
		fmt.Fprintf(b, "  %d +%v %s", i, e.Time.Sub(x.Entries[0].Time), e.Type)
		if e.InputTokens+e.OutputTokens > 0 || e.Cost > 0 || e.Model != "" {
			fmt.Fprintf(b, " model=%s tokens=%d+%d %v", e.Model, e.InputTokens, e.OutputTokens, e.Cost)
		}
		fmt.Fprintf(b, " %v\n", e.Payload)
		for _, c := range e.Calls {
			fmt.Fprintf(b, "    call %q %s %v answered by %d\n", c.ID, c.Tool, c.Arguments, c.Answer)
		}
		for _, r := range e.Results {
			fmt.Fprintf(b, "    result of call %d of entry %d: %v", r.Call, r.Entry, r.Content)
			if r.Error != "" {
				fmt.Fprintf(b, " error %q type %q", r.Error, r.ErrorType)
			}
			if r.Took > 0 {
				fmt.Fprintf(b, " took %v", r.Took)
			}
			b.WriteString("\n")
		}
	}
}

// Every sample is of a format that is found without being named.
func TestSamplesAreDetected(t *testing.T) {
	for name, format := range map[string]transcript.Format{
		"chat.json": transcript.OpenAIMessages, "chats.json": transcript.OpenAIMessages,
		"timed.jsonl": transcript.OpenAIMessages, "trials.json": transcript.OpenAIMessages,
		"fix-bug.traj": transcript.SWEAgent, "events.jsonl": transcript.JSONL,
	} {
		head, err := os.ReadFile(filepath.Join("testdata", "samples", name))
		require.NoError(t, err)
		got, err := transcript.Detect(name, head)
		require.NoError(t, err)
		require.Equal(t, format, got, name)
		got, err = transcript.Detect("", head)
		require.NoError(t, err, "without a name")
		require.Equal(t, format, got, name)
	}
}

func TestReadRefuses(t *testing.T) {
	ok := strings.NewReader("[]")
	for _, c := range []struct {
		s transcript.Source
		o transcript.ReadOptions
	}{
		{s: transcript.Source{Reader: ok}},
		{s: transcript.Source{Name: "a"}},
		{s: transcript.Source{Name: "a\xff", Reader: ok}},
		{s: transcript.Source{Name: strings.Repeat("a", 1000), Reader: ok}},
		{s: transcript.Source{Name: "a", Reader: ok}, o: transcript.ReadOptions{Format: "xml"}},
		{s: transcript.Source{Name: "a", Reader: ok}, o: transcript.ReadOptions{MaxRecord: -1}},
	} {
		n := 0
		for x, err := range transcript.Read(context.Background(), c.s, c.o) {
			n++
			require.Nil(t, x)
			require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		}
		require.Equal(t, 1, n)
	}
	_, err := transcript.ParseFormat("swe-agent")
	require.NoError(t, err)
	_, err = transcript.ParseFormat("xml")
	require.ErrorIs(t, err, inmem.ErrInvalidArgument)
}

// A reader that fails ends the reading with its error, whatever was read before.
func TestReaderFails(t *testing.T) {
	broken := errors.New("the disk is gone")
	s := transcript.Source{Name: "a", Reader: &failing{text: `[{"messages":[]},{"mess`, err: broken}}
	var last error
	n := 0
	for _, err := range transcript.Read(context.Background(), s, transcript.ReadOptions{}) {
		n++
		last = err
	}
	require.Equal(t, 1, n, "the error comes at the first look: the beginning is read at once")
	require.ErrorIs(t, last, broken)
}

type failing struct {
	text string
	err  error
}

func (f *failing) Read(b []byte) (int, error) {
	if f.text == "" {
		return 0, f.err
	}
	n := copy(b, f.text)
	f.text = f.text[n:]
	return n, nil
}
