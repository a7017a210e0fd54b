package lint

import (
	"os"
	"path/filepath"
	"testing"
)

// root is the root of the repository, seen from this package.
const root = "../.."

// TestHouse runs every rule on the repository.
func TestHouse(t *testing.T) {
	house, err := load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	if len(house.files) < 10 {
		t.Fatalf("found %d Go files: is this the repository?", len(house.files))
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			report(t, run(r, house), r.why)
		})
	}
	t.Run("waivers", func(t *testing.T) {
		report(t, badWaivers(house), "see the package comment")
	})
	t.Logf("%d files, the median has %d lines", len(house.files), median(house))
}

func report(t *testing.T, found []finding, why string) {
	t.Helper()
	for _, f := range found {
		t.Errorf("%s", f)
	}
	if len(found) > 0 {
		t.Logf("instead: %s", why)
	}
}

// TestNoPebbleTypeInTheAPI looks at compiled packages: a type that comes through an alias or an
// inferred variable does not show in the source text of the package that exports it.
func TestNoPebbleTypeInTheAPI(t *testing.T) {
	dir, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	pkgs, err := library(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) == 0 {
		t.Fatal("no package compiles")
	}
	for _, pkg := range pkgs {
		for _, text := range foreignTypes(pkg) {
			t.Errorf("%s", text)
		}
	}
}
