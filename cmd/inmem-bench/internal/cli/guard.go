package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/guard"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// guarded measures the rows of a guard's file, those that seem lost again and again, and fails only
// if one is lost in every attempt.
func guarded(ctx context.Context, o *options, plan []measure.Case, stdout, stderr io.Writer) error {
	f, err := os.Open(o.guard)
	if err != nil {
		return err
	}
	lines, err := guard.Parse(f)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.guard, err)
	}
	for attempt := range guard.Attempts {
		r, err := execute(ctx, o, guardPlan(plan, lines), stderr)
		if err != nil {
			return err
		}
		verdicts, err := guard.Judge(lines, r.Results)
		if err != nil {
			return fmt.Errorf("%s: %w", o.guard, err)
		}
		lines = lines[:0]
		for i := range verdicts {
			v := &verdicts[i]
			says := "held"
			if v.Lost() {
				says = fmt.Sprintf("lost, attempt %d of %d", attempt+1, guard.Attempts)
				lines = append(lines, v.Line)
			}
			_, err := fmt.Fprintf(stdout, "%-28s recorded %5.2f of %-9s now %5.2f, by CPU %5.2f  %s\n",
				v.Row, v.Recorded, v.Reference, v.Elapsed, v.CPU, says)
			if err != nil {
				return err
			}
		}
		if len(lines) == 0 {
			return nil
		}
	}
	return fmt.Errorf("%d of the guarded rows are more than %.1f times slower than recorded in %s",
		len(lines), guard.Margin, o.guard)
}

// guardPlan keeps what the lines name: their rows, of our system and of the reference.
func guardPlan(plan []measure.Case, lines []guard.Line) []measure.Case {
	var kept []measure.Case
	for _, c := range plan {
		ours := !c.System.Peer && !c.System.Limit
		if slices.ContainsFunc(lines, func(l guard.Line) bool {
			return l.Row == c.Name && (ours || l.Reference == c.System.Name)
		}) {
			kept = append(kept, c)
		}
	}
	return kept
}
