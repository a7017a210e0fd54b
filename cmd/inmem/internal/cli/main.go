package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// errStopped is the cause of a context that a signal ended.
var errStopped = errors.New("stopped")

// Main runs a command line and returns the exit code; see exit.go. The first signal cancels the
// command, which then closes the database and goes; a second one ends the process at once.
func Main(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	// A broken pipe is then an error of the write, and the database can be closed.
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	defer signal.Stop(pipes)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals)
			cancel(errStopped)
		case <-ctx.Done():
		}
	}()
	e := &env{in: in, stdout: out, err: errs, now: time.Now, zone: time.Local}
	return e.execute(ctx, args)
}
