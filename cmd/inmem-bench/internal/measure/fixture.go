package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// fixtures are those that are set up now, in the order of their making.
type fixtures struct {
	dir  string
	open []*Fixture
}

// fixtureSettle is how long a fixture may need to come to rest: it was filled as fast as possible.
const fixtureSettle = 30 * time.Second

// need makes the fixture of a case, unless it is there already.
func (f *fixtures) need(ctx context.Context, c *Case) error {
	if c.Fixture == nil || slices.Contains(f.open, c.Fixture) {
		return nil
	}
	dir := f.path(len(f.open))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := c.Fixture.Setup(ctx, dir); err != nil {
		err = fmt.Errorf("fixture %s: %w", c.Fixture.Name, err)
		return errors.Join(err, os.RemoveAll(dir))
	}
	f.open = append(f.open, c.Fixture)
	settle(ctx, processorTime, fixtureSettle)
	return nil
}

func (f *fixtures) path(i int) string {
	return filepath.Join(f.dir, fmt.Sprintf("fixture-%d", i))
}

// close releases all of them, and their files.
func (f *fixtures) close() error {
	var errs []error
	for i, x := range f.open {
		if err := x.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close fixture %s: %w", x.Name, err))
		}
		errs = append(errs, os.RemoveAll(f.path(i)))
	}
	f.open = nil
	return errors.Join(errs...)
}
