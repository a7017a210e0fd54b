// Command apicheck guards the public API: it compares every package under pkg with a recorded
// baseline by the rules of golang.org/x/exp/apidiff, and fails when a program that compiles against
// the baseline might not compile any more.
//
// The baseline is text, one file per package, in Go syntax without bodies: a reviewer reads an API
// change in its diff, it needs no history (a shallow clone will do), and it does not depend on the
// Go version that wrote it. Types of internal packages that can be reached from an exported name,
// through an alias or a result, belong to the API and are recorded too.
//
//	go -C internal/tools run ./apicheck            compare, exit 1 on an incompatible change
//	go -C internal/tools run ./apicheck -update    record the API as it is now
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", "../..", "root of the repository")
	baseline := flag.String("baseline", "api", "folder of the baseline")
	update := flag.Bool("update", false, "record the API as the new baseline")
	flag.Parse()
	broken, err := run(os.Stdout, *root, *baseline, *update)
	if err != nil {
		fmt.Fprintf(os.Stderr, "apicheck: %v\n", err)
		os.Exit(2)
	}
	if broken > 0 {
		os.Exit(1)
	}
}

// run returns the number of incompatible changes.
func run(w io.Writer, root, baseline string, update bool) (broken int, err error) {
	now, err := describe(root)
	if err != nil {
		return 0, err
	}
	recorded, err := readBaseline(baseline)
	if err != nil {
		return 0, err
	}
	if len(recorded) == 0 && !update {
		return 0, fmt.Errorf("no baseline in %s: record one with make api-update", baseline)
	}
	changes, err := compare(root, recorded, now)
	if err != nil {
		return 0, err
	}
	for _, c := range changes {
		word := "compatible  "
		if !c.compatible {
			word = "INCOMPATIBLE"
			broken++
		}
		fmt.Fprintf(w, "%s  %s: %s\n", word, c.pkg, c.text)
	}
	fmt.Fprintf(w, "api: %d packages, %d incompatible and %d compatible changes\n",
		len(now), broken, len(changes)-broken)
	if update {
		return 0, writeBaseline(baseline, now)
	}
	if broken > 0 {
		fmt.Fprintln(w, "api: if the break is meant, say so in CHANGELOG.md and run make api-update")
	} else if len(changes) > 0 {
		fmt.Fprintln(w, "api: additions are guarded from make api-update on")
	}
	return broken, nil
}

const extension = ".txt"

// readBaseline returns the recorded text by import path.
func readBaseline(dir string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"+extension))
	if err != nil {
		return nil, err
	}
	recorded := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		recorded[importPath(filepath.Base(name))] = string(text)
	}
	return recorded, nil
}

// writeBaseline makes the folder hold exactly these packages.
func writeBaseline(dir string, now map[string]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := readBaseline(dir)
	if err != nil {
		return err
	}
	for p := range old {
		if _, ok := now[p]; !ok {
			if err := os.Remove(filepath.Join(dir, fileName(p))); err != nil {
				return err
			}
		}
	}
	for p, text := range now {
		if err := os.WriteFile(filepath.Join(dir, fileName(p)), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
