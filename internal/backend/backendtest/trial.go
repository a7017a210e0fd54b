package backendtest

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// tester is what assertions need; a trial and a *rapid.T both are one.
type tester interface {
	require.TestingT
	Helper()
	Logf(format string, args ...any)
}

var _ rapid.TB = (*trial)(nil)

// trial stands in for a *testing.T and turns what it is told into an error. It is safe for
// concurrent use, FailNow from any goroutine included: it ends that goroutine.
type trial struct {
	name string
	mu   struct {
		sync.Mutex
		failed  bool
		skipped bool
		text    strings.Builder
	}
}

func newTrial(name string) *trial { return &trial{name: name} }

// run calls f in a goroutine of its own, because FailNow ends the goroutine it is called in.
func (t *trial) run(f func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.mu.failed:
		return errors.New(t.name + ": " + t.mu.text.String())
	case t.mu.skipped:
		return fmt.Errorf("%s: %w: %s", t.name, ErrSkipped, t.mu.text.String())
	}
	return nil
}

func (t *trial) note(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.text.WriteString(strings.TrimRight(text, "\n") + "\n")
}

func (t *trial) Helper()      {}
func (t *trial) Name() string { return t.name }

func (t *trial) Logf(format string, args ...any) { t.note(fmt.Sprintf(format, args...)) }
func (t *trial) Log(args ...any)                 { t.note(fmt.Sprint(args...)) }

func (t *trial) Fail() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.failed = true
}

func (t *trial) Failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.failed
}

func (t *trial) FailNow() {
	t.Fail()
	runtime.Goexit()
}

func (t *trial) Error(args ...any) {
	t.Log(args...)
	t.Fail()
}

func (t *trial) Errorf(format string, args ...any) {
	t.Logf(format, args...)
	t.Fail()
}

func (t *trial) Fatal(args ...any) {
	t.Log(args...)
	t.FailNow()
}

func (t *trial) Fatalf(format string, args ...any) {
	t.Logf(format, args...)
	t.FailNow()
}

func (t *trial) SkipNow() {
	t.mu.Lock()
	t.mu.skipped = true
	t.mu.Unlock()
	runtime.Goexit()
}

func (t *trial) Skip(args ...any) {
	t.Log(args...)
	t.SkipNow()
}

func (t *trial) Skipf(format string, args ...any) {
	t.Logf(format, args...)
	t.SkipNow()
}
