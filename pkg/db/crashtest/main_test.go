package crashtest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// childEnv holds a task as JSON. A process that has it is a child and runs it instead of tests.
const childEnv = "INMEM_CRASHTEST_TASK"

// task is what a child has to do.
type task struct {
	Name string // see children
	Dir  string
	Mode inmem.Durability
	Seed uint64
	// Budget is the memory budget; 0 is the default.
	Budget int64
	// Bulk makes some values large, so that tables are written and logs change.
	Bulk bool
	// Limit is the greatest size of a file, in bytes (limit).
	Limit uint64
	// From are the versions from which consumers watch.
	From []uint64 `json:",omitempty"`
}

func (k task) options() *inmem.Options {
	o := &inmem.Options{Durability: k.Mode, MemoryBudget: k.Budget}
	if k.Mode == inmem.Batched || k.Mode == inmem.Async {
		o.SyncInterval = 20 * time.Millisecond
	}
	return o
}

// children are the tasks by name. A child that returns an error ends with status 1.
var children = map[string]func(task) error{
	"load": loadChild, "hold": holdChild, "once": onceChild, "watch": watchChild,
	"checkpoint": checkpointChild, "inspected": inspectedChild,
}

func TestMain(m *testing.M) {
	text := os.Getenv(childEnv)
	if text == "" {
		os.Exit(m.Run())
	}
	var k task
	err := json.Unmarshal([]byte(text), &k)
	if err == nil {
		err = children[k.Name](k)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child is a process of ours.
type child struct {
	cmd    *exec.Cmd
	out    io.ReadCloser
	stderr *tail
	killed atomic.Bool
}

// tail keeps the last part of what is written to it.
type tail struct {
	mu   sync.Mutex // guards text
	text []byte
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if over := len(l.text) - 16<<10; over > 0 {
		l.text = l.text[over:]
	}
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

func start(t *testing.T, k task) *child {
	t.Helper()
	data, err := json.Marshal(k)
	require.NoError(t, err)
	c := &child{cmd: exec.Command(os.Args[0]), stderr: &tail{}}
	c.cmd.Env = append(os.Environ(), childEnv+"="+string(data))
	c.cmd.Stderr = c.stderr
	c.out, err = c.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	t.Cleanup(func() {
		if c.cmd.ProcessState == nil {
			_ = c.cmd.Process.Kill()
			_ = c.cmd.Wait()
		}
	})
	return c
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// kill is kill -9.
func (c *child) kill() {
	c.killed.Store(true)
	_ = c.cmd.Process.Kill()
}

// wait returns when the process is gone; one that was not killed must have ended well.
func (c *child) wait(t *testing.T) {
	t.Helper()
	if err := c.cmd.Wait(); err != nil && !c.killed.Load() {
		t.Fatalf("child: %v\n%s", err, c.stderr)
	}
}

// lines calls f with every line of the child's output, until it ends.
func (c *child) lines(f func([]byte)) {
	r := bufio.NewReaderSize(c.out, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return // a line without its end was cut off by the kill
		}
		f(line)
	}
}

// say writes one line to the parent. Once it returns, the line outlives the process.
var say = func() func(v any) {
	var mu sync.Mutex
	return func(v any) {
		data, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if _, err := os.Stdout.Write(append(data, '\n')); err != nil {
			os.Exit(3)
		}
	}
}()

// roundsEnv is how many rounds of killing to make, in all modes together.
const roundsEnv = "INMEM_CRASH_ROUNDS"

// rounds is how many rounds of killing to make in each mode: a third of all, rounded up.
func rounds(t *testing.T) int {
	if text := os.Getenv(roundsEnv); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		return max(1, (n+2)/3)
	}
	if testing.Short() {
		return 2
	}
	return 4
}

func open(t *testing.T, dir string, o *inmem.Options) *inmem.DB {
	t.Helper()
	db, err := inmem.Open(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func begin(t *testing.T, db *inmem.DB) *inmem.Run {
	t.Helper()
	run, err := db.BeginRun(t.Context(), inmem.RunOptions{})
	require.NoError(t, err)
	return run
}

func put(t *testing.T, k inmem.KV, key, text string) uint64 {
	t.Helper()
	v, err := k.Put(t.Context(), key, inmem.String(text))
	require.NoError(t, err)
	return v
}

func get(t *testing.T, k inmem.KV, key string) string {
	t.Helper()
	v, _, err := inmem.Get[string](t.Context(), k, key)
	require.NoError(t, err)
	return v
}

var background = context.Background()
