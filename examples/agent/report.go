package main

import (
	"context"
	"fmt"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// report prints what the run holds, all from one version.
func (a *agent) report(ctx context.Context) error {
	return a.run.View(ctx, func(v *inmem.View) error {
		tree, err := v.Traces().Tree(ctx, rootSpan)
		if err != nil {
			return err
		}
		total, err := v.Traces().RollupRun(ctx)
		if err != nil {
			return err
		}
		chain, err := v.Events().Verify(ctx)
		if err != nil {
			return err
		}
		info, err := a.run.Info(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "\n%s\n", tree)
		fmt.Fprintf(a.out, "%s: %d spans, %d + %d tokens, %v; %d events, chain valid: %v\n",
			info.Status, total.Spans, total.InputTokens, total.OutputTokens, total.Cost,
			chain.Length, chain.Valid)
		return nil
	})
}
