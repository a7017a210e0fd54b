// Command sabotage shows that the tests would notice: it switches off one thing after the other
// that the database rests on, and runs the suites that are to catch it.
//
//	go -C internal/tools run ./sabotage              all mutations
//	go -C internal/tools run ./sabotage -only guard  those whose names match
//	go -C internal/tools run ./sabotage -list        what there is
//
// The working tree is never touched: a mutated copy of a file lies in a temporary folder and takes
// the place of the file by an overlay of the go command. A mutation whose text is not found exactly
// once is an error, so the table cannot rot in silence; a test looks at all of them.
//
// First the suites run as they are: one that fails anyway catches nothing. The exit code is 1 if a
// mutation survives a suite that is listed for it.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"text/tabwriter"
	"time"
)

func main() {
	root := flag.String("root", "../..", "root of the repository")
	only := flag.String("only", "", "pattern of the names of mutations; all if empty")
	list := flag.Bool("list", false, "print the mutations and run nothing")
	flag.Parse()
	survived, err := run(os.Stdout, *root, *only, *list)
	if err != nil {
		fmt.Fprintf(os.Stderr, "sabotage: %v\n", err)
		os.Exit(2)
	}
	if survived > 0 {
		os.Exit(1)
	}
}

// run returns the number of mutations that survived a suite.
func run(w io.Writer, root, only string, list bool) (survived int, err error) {
	if root, err = filepath.Abs(root); err != nil {
		return 0, err
	}
	wanted, err := regexp.Compile(only)
	if err != nil {
		return 0, err
	}
	var chosen []mutation
	for _, m := range mutations {
		if wanted.MatchString(m.name) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return 0, fmt.Errorf("no mutation is called %q", only)
	}
	if list {
		return 0, describe(w, chosen)
	}
	scratch, err := os.MkdirTemp("", "sabotage")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(scratch)
	if err := undisturbed(w, root, chosen); err != nil {
		return 0, err
	}
	start := time.Now()
	fmt.Fprintf(w, "%-22s %-34s %-7s %6s  %s\n",
		"SWITCHED OFF", "SUITE", "RESULT", "TIME", "FIRST FAILURE")
	for i := range chosen {
		n, err := sabotage(w, root, scratch, &chosen[i])
		if err != nil {
			return survived, fmt.Errorf("%s: %w", chosen[i].name, err)
		}
		survived += n
	}
	fmt.Fprintf(w, "\n%d mutations, %d survived, %.0f s\n", len(chosen), survived,
		time.Since(start).Seconds())
	return survived, nil
}

func describe(w io.Writer, chosen []mutation) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tWHAT IS SWITCHED OFF\tFILE")
	for _, m := range chosen {
		fmt.Fprintf(t, "%s\t%s\t%s\n", m.name, m.off, m.file)
	}
	return t.Flush()
}

// undisturbed demands that all suites pass without a mutation.
func undisturbed(w io.Writer, root string, chosen []mutation) error {
	seen := map[suite]bool{}
	start := time.Now()
	for _, m := range chosen {
		for _, s := range m.suites {
			if seen[s] {
				continue
			}
			seen[s] = true
			r, err := goTest(root, "", s)
			if err != nil {
				return fmt.Errorf("%s without a mutation: %w", s, err)
			}
			if r.failed {
				return fmt.Errorf("%s fails without a mutation: %s\n%s", s, r.first, r.output)
			}
		}
	}
	_, err := fmt.Fprintf(w, "%d suites pass as they are, %.0f s\n\n", len(seen),
		time.Since(start).Seconds())
	return err
}

// sabotage runs the suites of one mutation and returns 1 if one of them did not notice.
func sabotage(w io.Writer, root, scratch string, m *mutation) (survived int, err error) {
	overlay, err := m.overlay(root, scratch)
	if err != nil {
		return 0, err
	}
	for _, s := range m.suites {
		r, err := goTest(root, overlay, s)
		if err != nil {
			return survived, fmt.Errorf("%s: %w", s, err)
		}
		word := "caught"
		if !r.failed {
			word, survived = "MISSED", 1
		}
		fmt.Fprintf(w, "%-22s %-34s %-7s %5.0fs  %s\n", m.name, s.pkg, word, r.took.Seconds(), r.first)
	}
	return survived, nil
}
