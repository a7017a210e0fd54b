package cli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is what version says.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersionCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "version", GroupID: groupCare,
		Short:   "Say which inmem this is",
		Example: `  inmem version --json`,
		Args:    exactly(0),
		RunE: func(*cobra.Command, []string) error {
			doc := thisBuild()
			return e.print(doc, func(w io.Writer) error { return writeBuild(w, doc) })
		},
	}
}

func thisBuild() build {
	b := build{
		Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func writeBuild(w io.Writer, b build) error {
	text := "inmem " + b.Version
	if b.Revision != "" {
		text += " " + b.Revision[:min(12, len(b.Revision))]
	}
	if b.Modified {
		text += ", modified"
	}
	_, err := fmt.Fprintf(w, "%s, %s, %s\n", text, b.Go, b.Platform)
	return err
}
