package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/pprof/profile"
)

// stack is a sample with functions, innermost first.
func stack(labels map[string][]string, nanos int64, names ...string) *profile.Sample {
	s := &profile.Sample{Value: []int64{1, nanos}, Label: labels}
	for i, name := range names {
		s.Location = append(s.Location, &profile.Location{
			ID: uint64(i + 1), Line: []profile.Line{{Function: &profile.Function{Name: name}}},
		})
	}
	return s
}

func TestReport(t *testing.T) {
	ours := map[string][]string{"workload": {"put"}, "system": {"inmem"}}
	p := &profile.Profile{Sample: []*profile.Sample{
		stack(ours, 3e9, "memmove", "x/internal/memtable.find", "x/internal/embedded.Get"),
		stack(ours, 2e9, "runtime.mallocgc", "github.com/cockroachdb/pebble/v2.(*DB).Apply"),
		stack(ours, 5e9, "a", "b", "c", "d", "e", "f", "runtime.gopark", "x/pkg/txn.Get"),
		stack(map[string][]string{"workload": {"put"}, "system": {"pebble"}}, 7e9, "x"),
		stack(nil, 9e9, "runtime.gcBgMarkWorker"),
	}}
	var got bytes.Buffer
	if err := report(&got, p); err != nil {
		t.Fatal(err)
	}
	want := "| Workload | CPU seconds | Shares |\n|---|---|---|\n" +
		"| put | 10.00 | transaction 50 %, memtable 30 %, allocation 20 % |\n"
	if got.String() != want {
		t.Fatalf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestRefusals(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("no profile"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{nil, {"a", "b"}, {"missing"}, {broken}} {
		if err := run(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
	if err := report(&bytes.Buffer{}, &profile.Profile{}); err == nil {
		t.Error("a profile without labels was accepted")
	}
}
