package inmem

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/internal/assembly"
	"github.com/inmem-db/inmem/pkg/txn"
)

func init() { assembly.Open = openParts }

// openParts is Open for the test support of this module; see package assembly. Policies of
// retention are carried out when asked for only.
func openParts(p assembly.Parts, o any) (any, error) {
	given, ok := o.(*Options)
	if !ok && o != nil {
		return nil, fmt.Errorf("%w: options are a %T", ErrInvalidArgument, o)
	}
	options := given.withDefaults()
	if err := options.validate("assembled"); err != nil {
		return nil, err
	}
	d := assemble(parts{
		path: "assembled", backend: p.Backend, epoch: max(1, p.Epoch), depth: p.Depth,
		manager: txn.Config{Sleep: p.Sleep, Int64N: p.Int64N},
	}, options)
	if err := d.dropImports(context.Background()); err != nil {
		options.Logger.Warn("what is left of an import stays for now", "error", err)
	}
	return d, nil
}
