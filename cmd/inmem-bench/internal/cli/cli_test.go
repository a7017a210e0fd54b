package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/bars"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/workloads"
)

// child makes the test binary behave as the command.
const child = "INMEM_BENCH_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(child) != "" {
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr, Program{Systems: workloads.Systems()}))
	}
	os.Exit(m.Run())
}

func command(t *testing.T, systems []measure.System, args ...string) (code int, out, err string) {
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, &stdout, &stderr, Program{Systems: systems})
	return code, stdout.String(), stderr.String()
}

func TestFlagMistakesAreTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for args, says := range map[string]string{
		"-mode lazy":                         `-mode is "lazy", expected one of strict, batched, async, none`,
		"-repeats 0":                         "-repeats is 0, expected 1 to 1000",
		"-time 1us":                          "-time is 1µs, expected at least 1ms",
		"-time soon":                         `invalid value "soon" for flag -time`,
		"-keys 0":                            "-keys is 0",
		"-keys 1000001":                      "-keys is 1000001",
		"-value-size -1":                     "-value-size is -1",
		"-keys 1000000 -value-size 1000000":  "more than 8 GiB",
		"-memory 0":                          "-memory is 0",
		"-seed 12x":                          `invalid value "12x" for flag -seed`,
		"-json - -gobench -":                 "cannot both be -",
		"-dir /no/such":                      "no such",
		"-dir " + file:                       "is not a directory",
		"-frobnicate":                        "flag provided but not defined: -frobnicate",
		"txn_commit":                         `"txn_commit" is not a flag; workloads are chosen with -workloads`,
		"-workloads engine_gte":              `no workload is called "engine_gte", the nearest is "engine_get"`,
		"-workloads multi_put":               `the nearest is "txn_commit/multi_put"`,
		"-workloads txn_commit/multi_put/11": `the nearest is "txn_commit/multi_put/1`,
		"-workloads engine_get,same_keys/4":  `the nearest is "conflict/same_key/4"`,
		"-workloads ,":                       "names no workload",
		"-workloads engine_g":                `the nearest is "engine_get"`,
	} {
		code, out, err := command(t, workloads.Systems(), strings.Fields(args)...)
		require.Equal(t, exitUsage, code, args)
		require.Empty(t, out, args)
		require.Contains(t, err, says, args)
		require.Contains(t, err, "-h explains the flags")
	}
	_, _, err := command(t, nil, "-mode", "lazy", "-keys", "0")
	require.Contains(t, err, "-mode is")
	require.Contains(t, err, "-keys is", "all faults at once")
}

func TestHelpExplainsEveryFlag(t *testing.T) {
	code, out, err := command(t, workloads.Systems(), "-h")
	require.Zero(t, code)
	require.Empty(t, err)
	(&options{}).flagSet().VisitAll(func(f *flag.Flag) {
		require.Regexp(t, `\n  -`+f.Name+`[ \n]`, out)
	})
	require.Contains(t, out, "examples:")
	for line := range strings.Lines(out) {
		require.LessOrEqual(t, len(line), 101, "%q", line)
	}
}

func TestListNamesEveryWorkloadOnce(t *testing.T) {
	code, out, _ := command(t, workloads.Systems(), "-workloads", "list")
	require.Zero(t, code)
	require.Equal(t, 1, strings.Count(out, "engine_get/hot_key "))
	require.Contains(t, out, "engine_key_scaling/get_rotating/1m")
	require.Contains(t, out, "(on request)")
}

func TestChoose(t *testing.T) {
	plan := measure.Plan(workloads.Systems(), measure.Config{Keys: 1, Mode: "batched"})
	names := func(asked string) (list []string) {
		chosen, err := choose(plan, asked, false)
		require.NoError(t, err)
		for _, c := range chosen {
			if !c.System.Limit {
				list = append(list, c.Name)
			}
		}
		return list
	}
	require.Greater(t, len(names("all")), len(names(""))+len(names("rows")))
	require.NotContains(t, names(""), "rows/get_hot", "extra groups come when they are named")
	require.Len(t, names("txn_commit/multi_put"), 3)
	require.Equal(t, []string{"conflict/same_key/2", "conflict/same_key/4"},
		names("conflict/same_key/4, conflict/same_key/,"), "in the order of the plan")
	require.NotContains(t, names("engine_key_scaling"), "engine_key_scaling/get_rotating/1m")
	require.Len(t, names("engine_key_scaling/get_rotating/1m"), 1)
	require.Contains(t, names("curves/keys"), "rows/get_uniform/1k", "a point of a curve")
	require.Equal(t, []string{"rows/get_uniform/10m"}, names("curves/keys/get/10m"))
	require.NotContains(t, names("curves"), "rows/get_uniform/10m")
	all, err := choose(plan, "curves/keys/get", true)
	require.NoError(t, err)
	require.Equal(t, "rows/get_uniform/10m", all[len(all)-1].Name, "with -long")
}

func TestRunWritesEveryForm(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	code, out, stderr := command(t, workloads.Systems(), "-workloads", "txn_commit/multi_put,snapshot",
		"-mode", "none", "-time", "2ms", "-repeats", "2", "-keys", "50", "-dir", dir,
		"-json", path("json"), "-gobench", path("bench"), "-memprofile", path("mem"),
		"-cpuprofile", path("cpu"))
	require.Zero(t, code, stderr)
	require.Contains(t, out, "txn_commit/multi_put/10")
	require.Contains(t, out, "none: nothing is ever written to disk")
	require.Contains(t, out, "All results were checked and right.")
	require.Contains(t, stderr, "repeat 2 of 2")
	code, out, stderr = command(t, nil, "-bars", path("json"))
	require.Zero(t, code, stderr)
	require.Contains(t, out, "Nothing of the tables of bars was measured")
	code, _, stderr = command(t, nil, "-bars", path("bench"))
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "read a saved report")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 4, "the databases are gone")
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		require.Positive(t, info.Size(), e.Name())
	}
}

func TestJSONOnStandardOutputIsAlone(t *testing.T) {
	code, out, stderr := command(t, workloads.Systems(), "-quiet", "-workloads",
		"engine_get/hot_key", "-mode", "none", "-time", "1ms", "-repeats", "1", "-json", "-")
	require.Zero(t, code, stderr)
	require.True(t, json.Valid([]byte(out)))
	require.Contains(t, stderr, "Summary")
	require.NotContains(t, stderr, "repeat 1 of 1")
}

// The table of bars can be asked for as a whole and in parts, with what is on request.
func TestChooseWhatTheBarsNeed(t *testing.T) {
	plan := measure.Plan(workloads.Systems(), measure.Config{Keys: 1, Mode: "batched"})
	names := func(asked string) map[string]bool {
		chosen, err := choose(plan, asked, false)
		require.NoError(t, err)
		list := map[string]bool{}
		for _, c := range chosen {
			list[c.System.Name+" "+c.Name] = true
		}
		return list
	}
	all := names("bars")
	for _, row := range bars.Table {
		require.True(t, all["inmem "+row.Name], row.Name)
	}
	require.True(t, all["go-map rows/get_hot"])
	require.False(t, all["go-map rows/put_insert"], "it is compared with peers only")
	require.False(t, all["inmem rows/strict/2"])
	part := names("bars/ycsb")
	require.Len(t, part, 12)
	require.True(t, part["inmem ycsb/a/4"])
	require.Len(t, names("bars/rows/strict,rows/strict/2"), 10)
	_, err := choose(plan, "bars/ycbs", false)
	require.ErrorContains(t, err, "no workload is called")
}

// What was measured before a failure is reported, and said to be a part.
func TestAFailureReportsWhatWasWhole(t *testing.T) {
	calls := 0
	system := measure.System{Name: "x", Workloads: func(measure.Config) []measure.Workload {
		return []measure.Workload{{Name: "g/a", Setup: func(context.Context, string) (
			*measure.Trial, error) {
			if calls++; calls == 3 {
				return nil, errors.New("the disk is full")
			}
			return &measure.Trial{Op: func(context.Context, int, int) error { return nil }}, nil
		}}}
	}}
	file := filepath.Join(t.TempDir(), "json")
	code, out, stderr := command(t, []measure.System{system}, "-quiet", "-time", "5ms", "-json", file)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "the disk is full")
	require.Contains(t, out, "Not everything was measured")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), `"ended_early": "g/a (x), repeat 3: setup: the disk is full"`)
}

// A short run leaves out what takes long; a command has its own selection when none is asked for.
func TestShortAndDefault(t *testing.T) {
	names := []string{"g/a", "g/long", "h/b"}
	system := measure.System{Name: "x", Workloads: func(measure.Config) (all []measure.Workload) {
		for _, name := range names {
			all = append(all, measure.Workload{Name: name, Long: name == "g/long",
				Setup: func(context.Context, string) (*measure.Trial, error) {
					return &measure.Trial{Op: func(context.Context, int, int) error { return nil }}, nil
				}})
		}
		return all
	}}
	for _, c := range []struct {
		args, has string
		lacks     []string
	}{
		{"-time 5ms", "g/long", []string{"h/b"}},
		{"-short", "g/a", []string{"g/long", "h/b"}},
		{"-short -workloads h", "h/b", []string{"g/a"}},
	} {
		var out, stderr bytes.Buffer
		args := append(strings.Fields(c.args), "-quiet", "-dir", t.TempDir())
		p := Program{Name: "peers", Systems: []measure.System{system}, Default: "g"}
		require.Zero(t, run(t.Context(), args, &out, &stderr, p), stderr.String())
		require.Contains(t, out.String(), c.has)
		for _, none := range c.lacks {
			require.NotContains(t, out.String(), none, c.args)
		}
		if strings.HasPrefix(c.args, "-short") {
			require.Contains(t, out.String(), "3 repeats of 40ms")
		}
	}
	code, _, stderr := command(t, []measure.System{system}, "-html", "-")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "-html needs a file's name")
}

// broken is a system that answers wrongly.
func broken(measure.Config) []measure.Workload {
	return []measure.Workload{{Name: "g/liar",
		Setup: func(context.Context, string) (*measure.Trial, error) {
			return &measure.Trial{Op: func(context.Context, int, int) error {
				return measure.Wrongf("two and two are 5")
			}}, nil
		}}}
}

func TestAWrongAnswerEndsTheRun(t *testing.T) {
	dir := t.TempDir()
	code, out, stderr := command(t, []measure.System{{Name: "x", Workloads: broken}}, "-dir", dir)
	require.Equal(t, exitFailed, code)
	require.Empty(t, out)
	require.Contains(t, stderr, "g/liar (x)")
	require.Contains(t, stderr, "wrong answer: two and two are 5")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestFilesThatCannotBeWrittenAreToldFirst(t *testing.T) {
	for _, f := range []string{"-json", "-gobench", "-memprofile", "-cpuprofile"} {
		code, _, stderr := command(t, []measure.System{{Name: "x", Workloads: broken}},
			"-quiet", f, filepath.Join(t.TempDir(), "no", "such"))
		require.Equal(t, exitFailed, code)
		require.NotContains(t, stderr, "liar", f)
	}
}

func TestStoppedContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopped)
	var stderr bytes.Buffer
	code := run(ctx, []string{"-dir", t.TempDir()}, io.Discard, &stderr,
		Program{Systems: workloads.Systems()})
	require.Equal(t, exitStopped, code)
	require.Contains(t, stderr.String(), "stopped")
}

// Ctrl-C in the middle of the work: code 130, nothing left behind.
func TestInterruptLeavesNothing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signal can be sent to another process")
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-dir", dir, "-time", "1m")
	cmd.Env = append(os.Environ(), child+"=1")
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	first := make([]byte, 6)
	_, err = io.ReadFull(stderr, first) // the first line of progress: the databases are there
	require.NoError(t, err)
	require.Equal(t, "repeat", string(first))
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	rest, err := io.ReadAll(stderr)
	require.NoError(t, err)
	require.Contains(t, string(rest), "stopped")
	var exit *exec.ExitError
	require.True(t, errors.As(cmd.Wait(), &exit))
	require.Equal(t, exitStopped, exit.ExitCode())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	require.Less(t, exit.UserTime(), 10*time.Second)
}

// pace is a workload of a system whose operations take a while.
func pace(s measure.System, each time.Duration) measure.System {
	s.Workloads = func(measure.Config) []measure.Workload {
		return []measure.Workload{{Name: "g/a", Setup: func(context.Context, string) (
			*measure.Trial, error) {
			return &measure.Trial{Op: func(context.Context, int, int) error {
				for start := time.Now(); time.Since(start) < each; { // not asleep: it takes processor time
				}
				return nil
			}}, nil
		}}}
	}
	return s
}

func TestGuard(t *testing.T) {
	file := filepath.Join(t.TempDir(), "guard")
	guard := func(text string, ours time.Duration) (int, string, string) {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return command(t, []measure.System{
			pace(measure.System{Name: "inmem"}, ours),
			pace(measure.System{Name: "limit", Limit: true}, 20*time.Microsecond),
		}, "-quiet", "-short", "-guard", file)
	}
	code, out, stderr := guard("g/a limit 1\n", 20*time.Microsecond)
	require.Zero(t, code, stderr)
	require.Contains(t, out, "held")
	require.Equal(t, 1, strings.Count(out, "\n"), "one attempt was enough")

	code, out, stderr = guard("g/a limit 1\n", 200*time.Microsecond)
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, "lost, attempt 3 of 3")
	require.Contains(t, stderr, "1 of the guarded rows are more than 2.5 times slower")

	for text, says := range map[string]string{
		"g/a limit\n": "line 1: 2 words", "g/b limit 1\n": "g/b was not measured beside limit",
	} {
		code, _, stderr = guard(text, time.Microsecond)
		require.Equal(t, exitFailed, code)
		require.Contains(t, stderr, says)
	}
	code, _, _ = command(t, nil, "-guard", filepath.Join(t.TempDir(), "none"))
	require.Equal(t, exitFailed, code)
}
