package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mutation is a way to break the database.
type mutation struct {
	name   string
	off    string // what is switched off, in words
	file   string // relative to the root
	edits  []edit
	suites []suite // each of them is to notice
}

// edit replaces a text that is there exactly once.
type edit struct{ from, to string }

// suite is a part of the tests of a package: short forms.
type suite struct{ pkg, run string }

func (s suite) String() string { return s.pkg + " " + s.run }

// apply returns the source with all edits.
func (m *mutation) apply(source string) (string, error) {
	for _, e := range m.edits {
		if n := strings.Count(source, e.from); n != 1 {
			return "", fmt.Errorf("%s: found %d times, expected once: %s", m.file, n, e.from)
		}
		source = strings.Replace(source, e.from, e.to, 1)
	}
	return source, nil
}

// mutated reads the file and returns it with all edits.
func (m *mutation) mutated(root string) (string, error) {
	source, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return "", err
	}
	return m.apply(string(source))
}

// overlay writes the mutated file and what tells the go command of it into a folder, and returns
// the name of the latter.
func (m *mutation) overlay(root, scratch string) (string, error) {
	source, err := m.mutated(root)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(scratch, "")
	if err != nil {
		return "", err
	}
	copied := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(copied, []byte(source), 0o600); err != nil {
		return "", err
	}
	replace := map[string]any{
		"Replace": map[string]string{filepath.Join(root, m.file): copied},
	}
	text, err := json.Marshal(replace)
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}
