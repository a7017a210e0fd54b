package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/internal/show"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

func newRetentionCommand(e *env) *cobra.Command {
	c := &cobra.Command{
		Use: "retention", GroupID: groupCare,
		Short: "Say how much history is kept, and remove what is not",
		Long: `Policies say how much history is kept: of the database, of a primitive, of a run, or of a primitive
of a run; the most specific one counts. Without any all history is kept. What a key, cell or span
holds now always stays, and so do all events. Pins keep a version of a run, whatever the policies say.

Commands of inmem remove history only with inmem retention apply.`,
		Example: `  inmem retention set --commits 1000
  inmem retention set --run latest --for 30d
  inmem retention plan
  inmem retention apply`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newRetentionListCommand(e), newRetentionSetCommand(e), newRetentionClearCommand(e),
		newRetentionPlanCommand(e), newRetentionApplyCommand(e), newPinCommand(e), newUnpinCommand(e))
	return c
}

// targetFlags say what a policy is for.
type targetFlags struct{ run, primitive string }

func (t *targetFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&t.run, "run", "", "of this run; default: of those without one")
	c.Flags().StringVar(&t.primitive, "primitive", "",
		"of this primitive: kv, cells, traces, extensions, vectors; default: of all")
}

func (t *targetFlags) target(ctx context.Context, e *env, db *inmem.DB) (inmem.RetentionTarget,
	error) {
	var target inmem.RetentionTarget
	if t.primitive != "" {
		if err := target.Primitive.UnmarshalText([]byte(t.primitive)); err != nil {
			return target, err
		}
	}
	if t.run != "" {
		run, err := e.run(ctx, db, t.run)
		if err != nil {
			return target, err
		}
		target.Run = run.ID()
	}
	return target, nil
}

// policyDoc is a policy that was set.
type policyDoc struct {
	Run       string `json:"run,omitempty"`
	Primitive string `json:"primitive,omitempty"`
	Commits   uint64 `json:"commits,omitempty"`
	For       int64  `json:"for_ns,omitempty"`
	Text      string `json:"text"`
}

func docOfPolicy(p *inmem.RetentionPolicy) policyDoc {
	doc := policyDoc{
		Run: p.Run, Commits: p.Keep.Commits, For: int64(p.Keep.For), Text: p.Keep.String(),
	}
	if p.Primitive != 0 {
		doc.Primitive = p.Primitive.String()
	}
	return doc
}

// pinDoc is a pin.
type pinDoc struct {
	Name    string `json:"name"`
	Run     string `json:"run"`
	Version uint64 `json:"version"`
}

// policiesDoc are all policies and pins.
type policiesDoc struct {
	Policies []policyDoc `json:"policies"`
	Pins     []pinDoc    `json:"pins"`
}

func newRetentionListCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the policies and pins",
		Example: `  inmem retention list`,
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return e.look(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				doc, err := policies(ctx, db)
				if err != nil {
					return err
				}
				return e.print(doc, func(w io.Writer) error { return e.writePolicies(w, doc) })
			})
		},
	}
}

func policies(ctx context.Context, db *inmem.DB) (policiesDoc, error) {
	doc := policiesDoc{Policies: []policyDoc{}, Pins: []pinDoc{}}
	set, err := db.Retention(ctx)
	if err != nil {
		return doc, err
	}
	for i := range set {
		doc.Policies = append(doc.Policies, docOfPolicy(&set[i]))
	}
	pins, err := db.Pins(ctx)
	for _, p := range pins {
		doc.Pins = append(doc.Pins, pinDoc{p.Name, p.Run, p.Version})
	}
	return doc, err
}

func (e *env) writePolicies(w io.Writer, doc policiesDoc) error {
	if len(doc.Policies) == 0 {
		if _, err := fmt.Fprintln(w, "no policy: all history is kept"); err != nil {
			return err
		}
	}
	t := show.Table{Style: e.style(), Columns: []show.Column{
		{Title: "OF"}, {Title: "PRIMITIVE"}, {Title: "KEEPS", Flexible: true},
	}}
	for _, p := range doc.Policies {
		t.Row(orElse(p.Run, "the database"), orElse(p.Primitive, "all"), p.Text)
	}
	if err := t.Write(w); err != nil || len(doc.Pins) == 0 {
		return err
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	pins := show.Table{Style: e.style(), Columns: []show.Column{
		{Title: "PIN", Flexible: true}, {Title: "RUN"}, {Title: "VERSION", Align: show.Right},
	}}
	for _, p := range doc.Pins {
		pins.Row(p.Name, p.Run, strconv.FormatUint(p.Version, 10))
	}
	return pins.Write(w)
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func newRetentionSetCommand(e *env) *cobra.Command {
	var t targetFlags
	var commits uint64
	var keep string
	c := &cobra.Command{
		Use: "set", Short: "Set a policy",
		Long: `Sets how much history is kept: what a run showed after each of its last --commits, all that could be
seen of it --for so long, or, with both, whichever is more. It removes nothing by itself: see apply.
A program that has the database open carries it out in the background.`,
		Example: `  inmem retention set --commits 1000
  inmem retention set --primitive traces --for 7d`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if commits == 0 && keep == "" {
				return advise(usagef("retention set: nothing to keep"), "give --commits, --for, or both")
			}
			k := inmem.Keep{Commits: commits}
			if keep != "" {
				var err error
				if k.For, err = parseDuration(keep); err != nil {
					return err
				}
			}
			return e.change(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				target, err := t.target(ctx, e, db)
				if err != nil {
					return err
				}
				if _, err := db.SetRetention(ctx, target, k); err != nil {
					return err
				}
				doc := docOfPolicy(&inmem.RetentionPolicy{RetentionTarget: target, Keep: k})
				return e.print(doc, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "%s, %s: %s\n", orElse(doc.Run, "the database"),
						orElse(doc.Primitive, "all"), doc.Text)
					return err
				})
			})
		},
	}
	t.add(c)
	c.Flags().Uint64Var(&commits, "commits", 0, "keep what it showed after each of the last commits")
	c.Flags().StringVar(&keep, "for", "", "keep what could be seen in the last 90s, 10m, 2h, 30d")
	return c
}

func newRetentionClearCommand(e *env) *cobra.Command {
	var t targetFlags
	c := &cobra.Command{
		Use: "clear", Short: "Take a policy away",
		Example: `  inmem retention clear
  inmem retention clear --run latest`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return e.change(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				target, err := t.target(ctx, e, db)
				if err != nil {
					return err
				}
				version, err := db.ClearRetention(ctx, target)
				if err != nil {
					return err
				}
				if version == 0 {
					return advise(notFoundf("there is no such policy"), "inmem retention list lists them")
				}
				doc := map[string]uint64{"version": version}
				return e.print(doc, func(w io.Writer) error {
					_, err := fmt.Fprintln(w, "the policy is gone")
					return err
				})
			})
		},
	}
	t.add(c)
	return c
}
