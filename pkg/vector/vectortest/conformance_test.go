package vectortest

import (
	"testing"

	"github.com/inmem-db/inmem/pkg/vector"
)

func TestIndex(t *testing.T) { Run(t, vector.New) }
