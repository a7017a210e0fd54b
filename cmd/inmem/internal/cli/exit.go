package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// The exit codes. They are a promise: scripts rest on them. The help of the root command lists
// them.
const (
	exitOK       = 0
	exitError    = 1   // something failed: the disk, a file, a version that retention removed
	exitUsage    = 2   // the command line is wrong
	exitNotFound = 3   // no such database, run, key, file
	exitConflict = 4   // something stands in the way: another process, a status, an id that is taken
	exitCorrupt  = 5   // data is damaged, or not what it should be
	exitStopped  = 130 // Ctrl-C, or a signal
)

// exitCodes is the table for people.
const exitCodes = `Exit codes:
  0    done
  1    something failed: the disk, a file, a version that retention has removed
  2    the command line is wrong
  3    there is no such database, run, key or file
  4    something stands in the way: another process, a status, an id that is taken
  5    data is damaged, or not what it should be
  130  stopped by Ctrl-C or a signal`

// advised is an error with what to do next, and perhaps an exit code of its own.
type advised struct {
	err    error
	code   int    // 0: as the error says
	advice string // what to do next; may be empty
}

func (a *advised) Error() string { return a.err.Error() }
func (a *advised) Unwrap() error { return a.err }

// usagef is an error of the command line.
func usagef(format string, args ...any) error {
	return &advised{err: fmt.Errorf(format, args...), code: exitUsage}
}

// notFoundf is an error about what is not there.
func notFoundf(format string, args ...any) error {
	return &advised{err: fmt.Errorf(format, args...), code: exitNotFound}
}

// corruptf is an error about damage.
func corruptf(format string, args ...any) error {
	return &advised{err: fmt.Errorf(format, args...), code: exitCorrupt}
}

// advise adds to an error what to do next. The exit code stays what it was.
func advise(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &advised{err: err, advice: fmt.Sprintf(format, args...)}
}

// seeHelp is the advice about what a command was given.
const seeHelp = "inmem help COMMAND explains what a command takes"

// kinds says what the library's errors mean to a script, and what to do about them: the first that
// matches counts.
var kinds = []struct {
	err    error
	code   int
	name   string
	advice string
}{
	{inmem.ErrLocked, exitConflict, "locked",
		"end that process, or look at a copy: let it make a checkpoint (DB.Checkpoint)"},
	{inmem.ErrCorrupt, exitCorrupt, "corrupt",
		"do not write to it; restore a checkpoint (inmem restore), or see inmem help"},
	{inmem.ErrFormat, exitError, "format", "use the newer version of inmem that wrote it"},
	{inmem.ErrPruned, exitError, "pruned",
		"ask for a later version: retention has removed what was before"},
	{inmem.ErrHasForks, exitConflict, "has_forks",
		"give --flatten to copy to the forks what they read there, or delete them first"},
	{inmem.ErrRunExists, exitConflict, "run_exists", "delete that run first, or give another --id"},
	{inmem.ErrInvalidTransition, exitConflict, "invalid_transition",
		"inmem show tells the status"},
	{inmem.ErrRunNotActive, exitConflict, "run_not_active",
		"only an active run takes writes; inmem fork makes one that goes on from it"},
	{inmem.ErrVersionMismatch, exitConflict, "version_mismatch", "read it again, and decide anew"},
	{inmem.ErrConflict, exitConflict, "conflict", "try again"},
	{inmem.ErrExists, exitConflict, "exists", "name another one"},
	{inmem.ErrRunNotFound, exitNotFound, "run_not_found", "inmem runs lists them"},
	{inmem.ErrNotFound, exitNotFound, "not_found", "inmem show and inmem state tell what there is"},
	{inmem.ErrNoSpace, exitError, "no_space", "make space on the disk, and try again"},
	{inmem.ErrStorage, exitError, "storage", "look at the disk, then try again"},
	{inmem.ErrTooLarge, exitError, "too_large", "split it"},
	{fs.ErrNotExist, exitNotFound, "not_found", "look at the name"},
	{fs.ErrPermission, exitError, "permission", "look at the permissions of the file"},
	{fs.ErrExist, exitConflict, "exists", "name another one, or remove that one"},
	{inmem.ErrInvalidArgument, exitUsage, "invalid_argument", seeHelp},
	{inmem.ErrTypeMismatch, exitUsage, "type_mismatch", seeHelp},
}

// names are those of the codes that no error of the library has.
var names = map[int]string{
	exitUsage: "usage", exitNotFound: "not_found", exitConflict: "conflict",
	exitCorrupt: "corrupt", exitStopped: "stopped",
}

// failure is an error as scripts see it, on the standard error output with --json.
type failure struct {
	Code    int    `json:"exit_code"`
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Advice  string `json:"advice,omitempty"`
}

// describe finds out what an error means.
func describe(err error) failure {
	f := failure{Code: exitError, Kind: "error", Message: err.Error()}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			f.Code, f.Kind, f.Advice = k.code, k.name, k.advice
			break
		}
	}
	var a *advised
	advice := ""
	for next := err; errors.As(next, &a); next = a.err {
		if a.code != 0 {
			f.Code = a.code
			if f.Kind == "error" {
				f.Kind = names[a.code]
			}
		}
		advice = cmp.Or(advice, a.advice) // that of the outermost
	}
	f.Advice = cmp.Or(advice, f.Advice)
	if f.Code == exitUsage && f.Advice == "" {
		f.Advice = seeHelp
	}
	return f
}

// isBrokenPipe: whoever read the output has gone.
func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

// finish says what went wrong, if anything did, and returns the exit code. That writing the message
// fails is not worth a message.
func (e *env) finish(ctx context.Context, err error) int {
	switch {
	case err == nil, isBrokenPipe(err):
		return exitOK
	case errors.Is(context.Cause(ctx), errStopped):
		return exitStopped
	}
	f := describe(err)
	if e.json {
		enc := json.NewEncoder(e.err)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(map[string]failure{"error": f})
		return f.Code
	}
	fmt.Fprintf(e.err, "inmem: %s\n", strings.TrimPrefix(f.Message, "inmem: "))
	if f.Advice != "" {
		fmt.Fprintf(e.err, "       %s\n", f.Advice)
	}
	return f.Code
}
