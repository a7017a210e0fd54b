package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// result is how a suite ended.
type result struct {
	failed bool
	first  string // the first test that failed, the innermost if there are several levels
	took   time.Duration
	output string
}

// patience is how long a suite may take: a hang is noticed, too.
const patience = "120s"

// goTest runs a suite, with an overlay if one is named. A package that does not compile, or has no
// such test, is an error: it says nothing about the tests.
func goTest(root, overlay string, s suite) (result, error) {
	args := []string{"test", "-json", "-short", "-vet=off", "-count=1", "-timeout=" + patience,
		"-run", s.run}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.Command("go", append(args, s.pkg)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOFLAGS=") // no flags but these
	start := time.Now()
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return result{}, err
	}
	r, ran, err := read(bytes.NewReader(out))
	r.took = time.Since(start)
	switch {
	case err != nil:
		return r, err
	case ran == 0 && exit != nil:
		return r, fmt.Errorf("the tests do not run:\n%s%s", r.output, exit.Stderr)
	case ran == 0:
		return r, fmt.Errorf("there is no such test")
	}
	r.failed = exit != nil
	return r, nil
}

// event is a line of go test -json.
type event struct{ Action, Test, Output string }

// mostOutput is how much of what a suite printed is kept, in bytes: the end.
const mostOutput = 8 << 10

// read finds out which test failed first, and how many ran. A process that came to a bad end leaves
// tests without one: the one that began last counts then.
func read(in io.Reader) (r result, ran int, err error) {
	d := json.NewDecoder(in)
	begun := ""
	for {
		var e event
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return r, ran, err
		}
		r.output += e.Output
		if len(r.output) > 2*mostOutput {
			r.output = r.output[len(r.output)-mostOutput:]
		}
		switch {
		case e.Test == "" && e.Action == "fail" && r.first == "":
			r.first = begun
		case e.Test == "":
		case e.Action == "run":
			begun = e.Test
			ran++
		case e.Action == "fail" && r.first == "":
			r.first = e.Test
		}
	}
	r.first = strings.TrimSpace(r.first)
	return r, ran, nil
}
