package show

import (
	"io"
	"os"
)

// Style says how text for people is decorated. The zero value is plain.
type Style struct {
	// Color allows the escape sequences of terminals.
	Color bool
}

// StyleOf colours only terminals, and none if the environment has NO_COLOR.
func StyleOf(w io.Writer) Style {
	return Style{Color: IsTerminal(w) && os.Getenv("NO_COLOR") == ""}
}

// IsTerminal says whether something is written to a terminal that understands control sequences.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (s Style) in(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold decorates text if the style allows it, as Dim and the colours do. Decorated text has more
// bytes than columns: pad first, then decorate (a Table does so itself).
func (s Style) Bold(text string) string { return s.in("1", text) }

// Dim decorates as Bold does.
func (s Style) Dim(text string) string { return s.in("2", text) }

// Red decorates as Bold does.
func (s Style) Red(text string) string { return s.in("31", text) }

// Green decorates as Bold does.
func (s Style) Green(text string) string { return s.in("32", text) }

// Yellow decorates as Bold does.
func (s Style) Yellow(text string) string { return s.in("33", text) }

// Cyan decorates as Bold does.
func (s Style) Cyan(text string) string { return s.in("36", text) }
